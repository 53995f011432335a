"""Change sets: made, shown, checked for what they would do to the table, and only then executed."""

import sys
import uuid
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import WaiterError

TABLE = "Table"
POLL_SECONDS = 5
CHANGE_SET_SECONDS_MAX = 300
STACK_SECONDS_MAX = 1800
FAILURES_SHOWN_MAX = 10
# AWS words it in two ways, and neither has a code.
NO_CHANGE_WORDS = ("didn't contain changes", "No updates are to be performed")


class ChangeRefused(Exception):
    """The change set would touch the table in a way that loses or risks what is in it. Nothing was changed."""


class ChangeFailed(Exception):
    """CloudFormation could not make or execute the change set; the message holds its reasons."""


@dataclass(frozen=True)
class Stack:
    """A stack as it is: its status, parameters and outputs."""

    status: str
    parameters: dict[str, str]
    outputs: dict[str, str]


def current_stack(cloudformation: Any, name: str) -> Stack | None:
    """The stack, or None where there is none, or none yet (a first change set that was never executed).

    Raises `ChangeFailed` for a stack whose creation failed: AWS lets it only be deleted.
    """
    try:
        found = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    except cloudformation.exceptions.ClientError as error:
        if "does not exist" in error.response["Error"]["Message"]:
            return None
        raise
    if found["StackStatus"] == "REVIEW_IN_PROGRESS":
        return None
    if found["StackStatus"] == "ROLLBACK_COMPLETE":
        raise ChangeFailed(f"The creation of {name} failed before. Delete that stack, then deploy again.")
    return Stack(
        status=found["StackStatus"],
        parameters={one["ParameterKey"]: one["ParameterValue"] for one in found.get("Parameters", [])},
        outputs={one["OutputKey"]: one["OutputValue"] for one in found.get("Outputs", [])},
    )


def apply_change(
    cloudformation: Any,
    stack: str,
    *,
    template_url: str | None,
    parameters: list[dict[str, Any]],
    keep_table: bool,
) -> dict[str, str]:
    """Make a change set for `stack`, show it, execute it, wait, and answer the stack's outputs.

    Without `template_url` the present template stays. With `keep_table` any change of the table is refused,
    without it only its removal or replacement. Nothing to change is fine. Raises `ChangeRefused` and
    `ChangeFailed`.
    """
    creating = current_stack(cloudformation, stack) is None
    name = f"purser-{uuid.uuid4().hex[:12]}"
    template = {"TemplateURL": template_url} if template_url else {"UsePreviousTemplate": True}
    cloudformation.create_change_set(
        StackName=stack,
        ChangeSetName=name,
        ChangeSetType="CREATE" if creating else "UPDATE",
        Parameters=parameters,
        Capabilities=["CAPABILITY_IAM"],
        **template,
    )
    if _is_made(cloudformation, stack, name):
        changes = _changes(cloudformation, stack, name)
        _show(changes)
        _guard_table(cloudformation, stack, name, changes=changes, keep_table=keep_table)
        cloudformation.execute_change_set(StackName=stack, ChangeSetName=name)
        _wait_until_done(cloudformation, stack, creating=creating)
    else:
        cloudformation.delete_change_set(StackName=stack, ChangeSetName=name)
        _say("Nothing to change.")
    done = current_stack(cloudformation, stack)
    return done.outputs if done else {}


def _is_made(cloudformation: Any, stack: str, name: str) -> bool:
    """True once the change set can be executed, False if it has nothing to change."""
    try:
        cloudformation.get_waiter("change_set_create_complete").wait(
            StackName=stack, ChangeSetName=name, WaiterConfig=_waiting(CHANGE_SET_SECONDS_MAX)
        )
    except WaiterError as error:
        found = cloudformation.describe_change_set(StackName=stack, ChangeSetName=name)
        reason = found.get("StatusReason", "")
        if any(words in reason for words in NO_CHANGE_WORDS):
            return False
        raise ChangeFailed(f"No change set for {stack}: {reason or found['Status']}") from error
    return True


def _changes(cloudformation: Any, stack: str, name: str) -> list[dict[str, Any]]:
    pages = cloudformation.get_paginator("describe_change_set").paginate(StackName=stack, ChangeSetName=name)
    return [change["ResourceChange"] for page in pages for change in page.get("Changes", [])]


def _show(changes: list[dict[str, Any]]) -> None:
    for change in changes:
        replaced = " (replaced)" if change.get("Replacement") == "True" else ""
        action, what, kind = change["Action"], change["LogicalResourceId"], change["ResourceType"]
        _say(f"{action:8}{what}  {kind}{replaced}")


def _guard_table(
    cloudformation: Any, stack: str, name: str, *, changes: list[dict[str, Any]], keep_table: bool
) -> None:
    for change in changes:
        if change["LogicalResourceId"] != TABLE or change["Action"] == "Add":
            continue
        loses = change["Action"] != "Modify" or change.get("Replacement", "False") != "False"
        if loses or keep_table:
            cloudformation.delete_change_set(StackName=stack, ChangeSetName=name)
            raise ChangeRefused(f"{change['Action']} of the table {change.get('PhysicalResourceId', '')}.")


def _wait_until_done(cloudformation: Any, stack: str, *, creating: bool) -> None:
    waiter = cloudformation.get_waiter("stack_create_complete" if creating else "stack_update_complete")
    try:
        waiter.wait(StackName=stack, WaiterConfig=_waiting(STACK_SECONDS_MAX))
    except WaiterError as error:
        events = cloudformation.describe_stack_events(StackName=stack)["StackEvents"]
        failures = [
            f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason', 'no reason given')}"
            for event in events
            if event["ResourceStatus"].endswith("_FAILED")
        ]
        reasons = "\n".join(failures[:FAILURES_SHOWN_MAX])
        raise ChangeFailed(f"{stack} could not be changed and was put back.\n{reasons}") from error


def _waiting(seconds_max: int) -> dict[str, int]:
    return {"Delay": POLL_SECONDS, "MaxAttempts": seconds_max // POLL_SECONDS}


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
