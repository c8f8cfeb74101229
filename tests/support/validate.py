"""Validates configs by a JSON Schema, with Python's jsonschema.

Standard input is JSON: {"schema": ..., "configs": [...]}. Standard output is JSON: for each config the list of errors, each
with the names of the keys that it is about, without the numbers of list entries.
"""

import json
import sys

import jsonschema


def named(path, key=None):
    parts = [part for part in path if isinstance(part, str)]
    return ".".join(parts + ([key] if key is not None else []))


def names(error):
    """The keys that an error is about: unknown or missing ones of a table, or the key of a value."""
    path = list(error.absolute_path)
    if error.validator == "additionalProperties":
        return [named(path, key) for key in error.instance if key not in error.schema["properties"]]
    if error.validator == "required":
        return [named(path, key) for key in error.validator_value if key not in error.instance]
    return [named(path)]


def with_context(error):
    """The error and those of the alternatives of which none fits."""
    yield error
    for inner in error.context or []:
        yield from with_context(inner)


def report(error):
    inner = [name for part in with_context(error) for name in names(part)]
    return {"names": names(error), "inner": inner, "message": error.message[:300]}


question = json.load(sys.stdin)
jsonschema.Draft7Validator.check_schema(question["schema"])
validator = jsonschema.Draft7Validator(question["schema"])
answer = [[report(error) for error in validator.iter_errors(config)] for config in question["configs"]]
json.dump(answer, sys.stdout)
