"""The stack's template: Chalice's own, merged with `table.json` and `stack/*.yaml`, wired and checked.

Chalice writes the functions and the API's paths from `app.py`. What it cannot know, the fragments declare: the
table, the queues, one role a function, alarms. Chalice can give each function a role of its own only by ARN,
which would have to exist before the stack; so its configuration names a placeholder and the fragments put a
reference to the stack's own role in its place. `finish` refuses a function that still has the placeholder.
"""

import json
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from infra.edge import add_edge
from infra.table import TABLE_FILE

STACK_FOLDER = Path(__file__).with_name("stack")
SECTIONS = ("Parameters", "Conditions", "Resources", "Outputs")
QUEUE_OF_WORKER = {"InboxWorker": "InboxQueue", "OutboxWorker": "OutboxQueue", "HoldingsWorker": "HoldingsQueue"}
AT_ONCE_OF_WORKER = {"HoldingsWorker": "HoldingsAtOnceMax"}
"""Workers of which no more may run at once than a parameter says, however long their queue is."""
TABLE_OPERATIONS = (
    "GetItem",
    "BatchGetItem",
    "Query",
    "PutItem",
    "UpdateItem",
    "DeleteItem",
    "TransactWriteItems",
)
OPERATIONS_KEY = "x-sum-over-operations"

Template = dict[str, Any]


class TemplateError(Exception):
    """The application and the declared stack do not fit each other; the message says what to change."""


def fragments() -> Template:
    """The declared part of the stack, to be merged over Chalice's template. No secret is in it."""
    merged: Template = {section: {} for section in SECTIONS}
    parts = [json.loads(TABLE_FILE.read_text())]
    parts += [yaml.safe_load(path.read_text()) for path in sorted(STACK_FOLDER.glob("*.yaml"))]
    for part in parts:
        for section, entries in part.items():
            if section.startswith("x-"):
                continue  # What a fragment names once to use it several times.
            twice = sorted(merged[section].keys() & entries.keys())
            if twice:
                raise TemplateError(f"{section} declares {', '.join(twice)} twice.")
            merged[section] |= entries
    for resource in merged["Resources"].values():
        if resource.get("Type") == "AWS::CloudWatch::Alarm":
            _expand_operations(resource["Properties"])
    return merged


def finish(template: Template, *, stage: str) -> None:
    """Wire what Chalice generated to the declared resources, in place, for the stage named `stage`.

    Raises `TemplateError` where `app.py` and the fragments disagree about the functions.
    """
    template["Description"] = "Purser: a billing backend for businesses that sell on Stripe."
    template["Parameters"]["Stage"]["Default"] = stage
    for name, resource in template["Resources"].items():
        if "Type" not in resource:
            raise TemplateError(f"The stack declares {name}, which app.py does not define.")
        if resource["Type"] == "AWS::Serverless::Function":
            _wire_function(name, resource["Properties"])
    _wire_api(template["Resources"]["RestAPI"]["Properties"])


def _wire_function(name: str, properties: Template) -> None:
    if not isinstance(properties["Role"], dict):
        raise TemplateError(f"The function {name} has no role. Give it one in infra/stack/rights.yaml.")
    for event in properties.get("Events", {}).values():
        if event["Type"] != "SQS":
            continue
        if name not in QUEUE_OF_WORKER:
            raise TemplateError(f"The function {name} reads a queue that infra/ does not know.")
        event["Properties"]["Queue"] = {"Fn::GetAtt": [QUEUE_OF_WORKER[name], "Arn"]}
        # Without this, one message that fails brings its whole batch back.
        event["Properties"]["FunctionResponseTypes"] = ["ReportBatchItemFailures"]
        if name in AT_ONCE_OF_WORKER:
            # Not by reserved concurrency: what that throttles is received again and again until it is a dead letter.
            event["Properties"]["ScalingConfig"] = {"MaximumConcurrency": {"Ref": AT_ONCE_OF_WORKER[name]}}


def _wire_api(properties: Template) -> None:
    """Name the API after its stage, since its metrics are found by name, and limit its rate."""
    add_edge(properties["DefinitionBody"])
    properties["DefinitionBody"]["info"]["title"] = {"Fn::Sub": "purser-${Stage}"}
    properties["Name"] = {"Fn::Sub": "purser-${Stage}"}
    # Keeps SAM from adding a second stage called "Stage".
    properties["OpenApiVersion"] = "2.0"
    properties["TracingEnabled"] = False
    properties["MethodSettings"] = [
        {
            "ResourcePath": "/*",
            "HttpMethod": "*",
            "ThrottlingRateLimit": {"Ref": "ApiRequestsPerSecondMax"},
            "ThrottlingBurstLimit": {"Ref": "ApiBurstMax"},
        }
    ]


def _expand_operations(alarm: Template) -> None:
    """Turn `Metrics: {x-sum-over-operations: NAME}` into the sum of that metric of the table's operations."""
    if OPERATIONS_KEY not in alarm.get("Metrics", {}):
        return
    metric = alarm["Metrics"][OPERATIONS_KEY]
    queries = [
        {
            "Id": f"m{number}",
            "ReturnData": False,
            "MetricStat": {
                "Metric": {
                    "Namespace": "AWS/DynamoDB",
                    "MetricName": metric,
                    "Dimensions": [
                        {"Name": "TableName", "Value": {"Ref": "Table"}},
                        {"Name": "Operation", "Value": operation},
                    ],
                },
                "Period": 300,
                "Stat": "Sum",
            },
        }
        for number, operation in enumerate(TABLE_OPERATIONS, start=1)
    ]
    total = {"Id": "total", "Expression": "SUM(METRICS())", "Label": metric, "ReturnData": True}
    alarm["Metrics"] = [total, *queries]
