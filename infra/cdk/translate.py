#!/usr/bin/env python3
"""Translates infra/template.yaml for the CDK, so that there is one description of the platform.

    python3 infra/cdk/translate.py            writes what lib/ holds of the template
    python3 infra/cdk/translate.py --check    fails when lib/ is not what the template says
    python3 infra/cdk/translate.py --print F  prints what it makes of another template

Run it with the Python that has aws-sam-cli (.ci/tools puts one into ~/.cache/latchkey-ci/venv).
What it writes:

    lib/latchkey.template.json      the template as the SAM transform makes it: CloudFormation
    lib/authorizer.template.json    the sample authorizer alone, for LatchkeyAuthorizer to copy
    lib/parameters.ts               the template's parameters as typed, documented properties
    lib/scopes.csv                  the built-in catalogue of scopes
"""

import json
import logging
import os
import re
import sys
import textwrap
from copy import deepcopy
from functools import cache
from pathlib import Path

# The transform asks for a Region to name the partition by; `neutral` takes it out again.
os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")

from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

CDK = Path(__file__).resolve().parent
TEMPLATE = CDK.parent / "template.yaml"
SCOPES = CDK.parents[1] / "shared" / "domain" / "scopes.csv"
COLUMNS = 100
# What makes the sample authorizer, and counts what it refuses.
COUNTS = ["FeedStaleCount", "IpNotAllowedCount", "WrongSecretCount"]
AUTHORIZER = [f"SampleAuthorizer{part}" for part in ["Function", "Logs", "Policy", "Role", *COUNTS]]


def main():
    if "--print" in sys.argv:
        print(pretty(platform(Path(sys.argv[sys.argv.index("--print") + 1]))), end="")
        return
    written = {
        "lib/latchkey.template.json": lambda: pretty(platform()),
        "lib/authorizer.template.json": lambda: pretty(authorizer(platform())),
        "lib/parameters.ts": lambda: parameters(platform()),
        "lib/scopes.csv": lambda: SCOPES.read_text(),
    }
    stale = []
    for name, text in written.items():
        file, text = CDK / name, text()
        if file.exists() and file.read_text() == text:
            continue
        stale.append(name)
        if "--check" not in sys.argv:
            file.write_text(text)
    if "--check" not in sys.argv:
        print("\n".join(f"wrote infra/cdk/{name}" for name in stale) or "nothing changed")
    elif stale:
        sys.exit(
            f"infra/cdk is behind infra/template.yaml in {', '.join(stale)}: "
            "run infra/cdk/translate.py"
        )


def pretty(value):
    return json.dumps(value, indent=1, sort_keys=True) + "\n"


# -- The platform ----------------------------------------------------------------------------------


class NoManagedPolicies:
    """Roles are written out in the template: SAM is never to look a policy up."""

    def load(self):
        return {}


@cache
def platform(template=TEMPLATE):
    source = yaml_parse(template.read_text())
    translated = translate(source, {})
    # SAM puts values of parameters into some properties while it translates. The construct gives
    # parameters later.
    others = {name: other(it) for name, it in source["Parameters"].items()}
    if translate(source, others) != translated:
        sys.exit(
            "SAM's translation depends on the value of a parameter, which the construct gives "
            "only afterwards"
        )
    return translated


def other(parameter):
    """A value that is not the default."""
    for value in [*parameter.get("AllowedValues", []), "other", "another"]:
        if str(value) != str(parameter.get("Default")):
            return value


def translate(source, values):
    template = deepcopy(source)
    for name, resource in template["Resources"].items():
        if resource["Type"] == "AWS::Serverless::Function":
            # Local code means nothing to the transform; the construct puts the code of this binary
            # here.
            binary = resource.pop("Metadata")["BuildProperties"]["Binary"]
            resource["Properties"]["CodeUri"] = {"Bucket": "latchkey", "Key": binary}
    logging.disable(logging.WARNING)
    result = transform(template, values, NoManagedPolicies())
    for resource in result["Resources"].values():
        tags = resource["Properties"].get("Tags")
        if isinstance(tags, list):
            # "lambda:createdBy: SAM" would be untrue.
            tags = [tag for tag in tags if tag.get("Key") != "lambda:createdBy"]
            resource["Properties"].pop("Tags")
            if tags:
                resource["Properties"]["Tags"] = tags
    # Of these a stack has its own.
    for section in ["AWSTemplateFormatVersion", "Description", "Metadata"]:
        result.pop(section, None)
    return neutral(result)


def neutral(value, in_sub=False):
    """SAM writes the partition of the Region that it translates in."""
    if isinstance(value, dict):
        return {key: neutral(member, key == "Fn::Sub") for key, member in value.items()}
    if isinstance(value, list):
        return [neutral(member, in_sub and at == 0) for at, member in enumerate(value)]
    if in_sub and isinstance(value, str):
        return value.replace("arn:aws:", "arn:${AWS::Partition}:")
    return value


# -- The authorizer alone --------------------------------------------------------------------------


def authorizer(template):
    """The sample authorizer's resources; what they name of the platform becomes a parameter:
    CoreTable, CoreTableArn."""
    mine = {name: template["Resources"][name] for name in AUTHORIZER}
    # Policies that several roles share, for its role alone.
    role = {"Ref": "SampleAuthorizerRole"}
    for name, it in template["Resources"].items():
        is_policy = it["Type"] in ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy")
        if is_policy and role in it["Properties"].get("Roles", []):
            mine[name] = {**it, "Properties": {**it["Properties"], "Roles": [role]}}
    used = set()

    def visit(value):
        if isinstance(value, list):
            return [visit(member) for member in value]
        if not isinstance(value, dict):
            return value
        if list(value) == ["Ref"]:
            return {"Ref": name(value["Ref"])}
        if list(value) == ["Fn::GetAtt"] and value["Fn::GetAtt"][0] not in mine:
            return {"Ref": name("".join(value["Fn::GetAtt"]))}
        if list(value) == ["Fn::Sub"]:
            text, *more = (
                value["Fn::Sub"] if isinstance(value["Fn::Sub"], list) else [value["Fn::Sub"]]
            )
            bound = more[0] if more else {}
            text = re.sub(r"\$\{([A-Za-z0-9.]+)\}", lambda it: substituted(it[1], bound), text)
            return {"Fn::Sub": [text, visit(bound)] if bound else text}
        if list(value) == ["Fn::If"]:
            used.add(value["Fn::If"][0])
        return {key: visit(member) for key, member in value.items()}

    def name(text):
        if text not in mine and not text.startswith("AWS::"):
            used.add(text)
        return text

    def substituted(text, bound):
        if text in bound or text.split(".")[0] in mine:
            return "${" + text + "}"
        return "${" + name(text.replace(".", "")) + "}"

    resources = {}
    for key, resource in mine.items():
        used.update([resource["Condition"]] if "Condition" in resource else [])
        resources[key] = visit(resource)
    known = template.get("Conditions", {})
    conditions = {}
    while more := {it for it in used if it in known and it not in conditions}:
        for it in more:
            conditions[it] = visit(known[it])
            used.update(re.findall(r'\{"Condition": "(\w+)"\}', json.dumps(known[it])))
    foreign = {"Type": "String"}
    return {
        "Parameters": {
            it: template["Parameters"].get(it, foreign) for it in used if it not in known
        },
        "Conditions": conditions,
        "Resources": resources,
    }


# -- Its parameters as properties ------------------------------------------------------------------


def parameters(template):
    always = {name: it for name, it in template["Resources"].items() if "Condition" not in it}
    functions = sorted(name for name, it in always.items() if it["Type"] == "AWS::Lambda::Function")
    lines = [
        "// Made by translate.py of infra/template.yaml: change that, and run it again.",
        "",
        "/**",
        " * The template's parameters, one property each.",
        " * Values are checked at synth by what the template says of them.",
        " */",
        "export interface LatchkeyParameters {",
    ]
    names = []
    # The transform shuffles them; the template has an order that reads well.
    order = list(yaml_parse(TEMPLATE.read_text())["Parameters"])
    for name, it in sorted(template["Parameters"].items(), key=lambda pair: order.index(pair[0])):
        names.append((lower(name), name))
        lines += [
            *comment(it),
            f"  readonly {lower(name)}{'?' if 'Default' in it else ''}: {type_of(it)};",
        ]
    lines += ["}", "", "/** The parameter that each property stands for. */"]
    lines += ["export const PARAMETERS: Readonly<Record<keyof LatchkeyParameters, string>> = {"]
    lines += [f"  {property}: '{name}'," for property, name in names]
    lines += [
        "};",
        "",
        "/** The functions that every platform has, by their names in the template. */",
    ]
    lines += ["export const FUNCTIONS = {"]
    lines += [f"  {lower(name.removesuffix('Function'))}: '{name}'," for name in functions]
    lines += ["} as const;", ""]
    return "\n".join(lines)


def lower(name):
    return name[0].lower() + name[1:]


def type_of(parameter):
    allowed = parameter.get("AllowedValues", [])
    if set(allowed) == {"true", "false"}:
        return "boolean"
    if parameter["Type"] == "Number" or re.fullmatch(r"\d+", str(parameter.get("Default", ""))):
        return "number"
    if "List" in parameter["Type"]:
        return "string[]"
    return " | ".join(f"'{value}'" for value in allowed) or "string"


def comment(parameter):
    text = parameter["Description"].strip().replace("*/", "* /")
    if "ConstraintDescription" in parameter:
        text += f" It {parameter['ConstraintDescription']}."
    prefix = "   * "
    lines = textwrap.wrap(
        text, COLUMNS - len(prefix), break_long_words=False, break_on_hyphens=False
    )
    if "Default" in parameter:
        lines += ["", "@default " + (str(parameter["Default"]) or "- none")]
    return ["  /**", *(f"{prefix}{line}".rstrip() for line in lines), "   */"]


if __name__ == "__main__":
    main()
