"""Releases of a stage: uploaded under the name of their content, put in place by change sets, taken back.

A release is `releases/<release>/deployment.zip` and `template.json` (translated, ready for CloudFormation) in one
bucket an account and region. Nothing there is ever changed, so an earlier release can be put back as it was. The
stack itself says which release runs and which ran before (parameters and outputs `Release`, `PreviousRelease`).

The SAM template is translated here instead of by CloudFormation, so that what a dry run shows, what the emulator
ran and what AWS gets are one text.
"""

import copy
import json
import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from infra.changes import apply_change, current_stack

FUNCTION_TYPE = "AWS::Serverless::Function"
NO_RELEASE = "none"
TEMPLATE_BYTES_MAX = 1_000_000  # CloudFormation's limit for a template in a bucket, 1 MB

Template = dict[str, Any]


class ReleaseError(Exception):
    """A release cannot be put in place; the message says what to do."""


@dataclass(frozen=True)
class Place:
    """Where a stage lives. `clients` are boto3's, by service name: cloudformation and s3."""

    stage: str
    region: str
    account: str
    clients: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def stack(self) -> str:
        return f"purser-{self.stage}"

    @property
    def bucket(self) -> str:
        return f"purser-releases-{self.account}-{self.region}"


def deploy(place: Place, package: Path, parameters: dict[str, str]) -> dict[str, str]:
    """Upload the release in the folder `package`, put it in place, and answer the stack's outputs.

    `parameters` are the stage's own; what is not given keeps its present value, or has its default. Raises
    `ReleaseError` if a parameter is missing or unknown, and what `apply_change` raises.
    """
    summary = json.loads((package / "summary.json").read_text())
    if summary["stage"] != place.stage:
        raise ReleaseError(f"{package} was packaged for the stage {summary['stage']}.")
    release = summary["release"]
    template = deployable_template(package, place, release)
    stack = current_stack(place.clients["cloudformation"], place.stack)
    present = stack.parameters if stack else {}
    values = _with_releases(parameters, present, release)
    arguments = _stack_parameters(template, values, present)
    ensure_bucket(place)
    upload(place, release, package / "deployment.zip", template)
    return apply_change(
        place.clients["cloudformation"],
        place.stack,
        template_url=_template_url(place, release),
        parameters=arguments,
        keep_table=False,
    )


def rollback(place: Place) -> dict[str, str]:
    """Put the release before the present one back, and answer the stack's outputs.

    Done twice, it is where it began. The table stays as it is now: its declaration is taken from the template
    that runs, and a change set that would touch it all the same is refused. Parameters keep their values.
    Raises `ReleaseError` if there is no release before.
    """
    cloudformation = place.clients["cloudformation"]
    stack = current_stack(cloudformation, place.stack)
    previous = stack.parameters.get("PreviousRelease", NO_RELEASE) if stack else NO_RELEASE
    if stack is None or previous == NO_RELEASE:
        raise ReleaseError(f"{place.stack} has no release before the present one.")
    template = _stored_template(place, previous)
    running = _as_template(cloudformation.get_template(StackName=place.stack)["TemplateBody"])
    template["Resources"]["Table"] = running["Resources"]["Table"]
    present = stack.parameters
    values = {"Release": previous, "PreviousRelease": present["Release"]}
    return apply_change(
        cloudformation,
        place.stack,
        template_url=_put_template(place, f"rollbacks/{present['Release']}-to-{previous}.json", template),
        parameters=_stack_parameters(template, values, present),
        keep_table=True,
    )


def restart(place: Place, revision: str) -> dict[str, str]:
    """Start every function afresh with the release that runs, so that it reads its secrets again."""
    cloudformation = place.clients["cloudformation"]
    stack = current_stack(cloudformation, place.stack)
    if stack is None:
        raise ReleaseError(f"{place.stack} is not deployed.")
    kept = [{"ParameterKey": name, "UsePreviousValue": True} for name in stack.parameters]
    changed = {"ParameterKey": "SecretsRevision", "ParameterValue": revision}
    parameters = [changed if known["ParameterKey"] == "SecretsRevision" else known for known in kept]
    return apply_change(cloudformation, place.stack, template_url=None, parameters=parameters, keep_table=True)


def deployable_template(package: Path, place: Place, release: str) -> Template:
    """The template as CloudFormation gets it: translated from SAM, its functions pointing at the uploaded zip.

    Needs no account and no network. Raises `ReleaseError` if it is too large for CloudFormation.
    """
    # They take a while to import and only this needs them.
    import boto3
    from samtranslator.parser.parser import Parser  # type: ignore[import-untyped]
    from samtranslator.translator.translator import Translator  # type: ignore[import-untyped]

    # It warns of its own unpublished usage figures, which is nothing to whoever deploys.
    logging.getLogger("samtranslator.metrics").setLevel(logging.ERROR)
    template = json.loads((package / "template.json").read_text())
    for resource in template["Resources"].values():
        if resource["Type"] == FUNCTION_TYPE:
            resource["Properties"]["CodeUri"] = f"s3://{place.bucket}/releases/{release}/deployment.zip"
    session = boto3.Session(region_name=place.region)
    # With defaults in sight the translator would write them in the place of the references to parameters.
    declared = copy.deepcopy(template["Parameters"])
    for parameter in template["Parameters"].values():
        parameter.pop("Default", None)
    translated: Template = Translator({}, Parser(), boto_session=session).translate(template, {})
    translated["Parameters"] = declared
    size = len(_serialized(translated))
    if size > TEMPLATE_BYTES_MAX:
        raise ReleaseError(f"The template has {size} bytes, more than {TEMPLATE_BYTES_MAX}.")
    return translated


def ensure_bucket(place: Place) -> None:
    """Create the bucket of releases unless it is there: private, encrypted, TLS only."""
    s3 = place.clients["s3"]
    try:
        s3.head_bucket(Bucket=place.bucket)
        return
    except s3.exceptions.ClientError as error:
        if error.response["Error"]["Code"] not in ("404", "NoSuchBucket"):
            raise
    where: dict[str, Any] = {}
    if place.region != "us-east-1":  # which S3 refuses to be told
        where["CreateBucketConfiguration"] = {"LocationConstraint": place.region}
    s3.create_bucket(Bucket=place.bucket, **where)
    s3.put_public_access_block(
        Bucket=place.bucket,
        PublicAccessBlockConfiguration={
            "BlockPublicAcls": True,
            "IgnorePublicAcls": True,
            "BlockPublicPolicy": True,
            "RestrictPublicBuckets": True,
        },
    )


def upload(place: Place, release: str, archive: Path, template: Template) -> None:
    """Upload a release. The template comes last: where it is, the zip is."""
    s3 = place.clients["s3"]
    s3.upload_file(str(archive), place.bucket, f"releases/{release}/deployment.zip")
    _put_template(place, f"releases/{release}/template.json", template)


def _with_releases(given: dict[str, str], present: dict[str, str], release: str) -> dict[str, str]:
    """The parameters with the two releases; deploying what runs already does not forget what ran before."""
    running = present.get("Release", NO_RELEASE)
    previous = present.get("PreviousRelease", NO_RELEASE) if running == release else running
    return {**given, "Release": release, "PreviousRelease": previous}


def _stack_parameters(template: Template, values: dict[str, str], present: dict[str, str]) -> list[dict[str, Any]]:
    declared = template["Parameters"]
    unknown = sorted(values.keys() - declared.keys())
    if unknown:
        raise ReleaseError(f"The stack has no parameter {', '.join(unknown)}.")
    missing = sorted(
        name
        for name, parameter in declared.items()
        if name not in values and name not in present and "Default" not in parameter
    )
    if missing:
        raise ReleaseError(f"Give values for {', '.join(missing)}; docs/deploy.md says where.")
    arguments: list[dict[str, Any]] = []
    for name in declared:
        if name in values:
            arguments.append({"ParameterKey": name, "ParameterValue": str(values[name])})
        elif name in present:
            arguments.append({"ParameterKey": name, "UsePreviousValue": True})
    return arguments


def _stored_template(place: Place, release: str) -> Template:
    s3 = place.clients["s3"]
    try:
        stored = s3.get_object(Bucket=place.bucket, Key=f"releases/{release}/template.json")
    except s3.exceptions.NoSuchKey as error:
        raise ReleaseError(f"The release {release} is not in the bucket {place.bucket}.") from error
    return _as_template(stored["Body"].read().decode())


def _put_template(place: Place, key: str, template: Template) -> str:
    place.clients["s3"].put_object(Bucket=place.bucket, Key=key, Body=_serialized(template))
    return _url(place, key)


def _template_url(place: Place, release: str) -> str:
    return _url(place, f"releases/{release}/template.json")


def _url(place: Place, key: str) -> str:
    """CloudFormation takes the address of an object in S3, in this form."""
    dns = "amazonaws.com.cn" if place.region.startswith("cn-") else "amazonaws.com"
    return f"https://s3.{place.region}.{dns}/{place.bucket}/{key}"


def _serialized(template: Template) -> bytes:
    return json.dumps(template, separators=(",", ":"), sort_keys=True).encode()


def _as_template(body: Any) -> Template:
    """boto3 answers a template as a dictionary where it can read it as JSON, and as text otherwise."""
    template: Template = json.loads(body) if isinstance(body, str) else json.loads(json.dumps(body))
    return template
