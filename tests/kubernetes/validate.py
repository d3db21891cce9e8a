"""Checks manifests against the schemas of Kubernetes and of custom resources; fields that no schema knows are errors.

Usage: validate.py VERSION FOLDER_OF_CRDS < manifests.yaml
Prints one JSON object a document that is wrong: {"kind", "name", "problem"}. Ends with 1 where there is one.
"""

import json
import sys
from pathlib import Path

import jsonschema
import kubernetes_validate
import yaml


def strict(schema):
    """An OpenAPI schema of a CRD as a JSON Schema that refuses unknown fields, as the server's strict mode does."""
    if not isinstance(schema, dict):
        return schema
    result = {key: value for key, value in schema.items() if not key.startswith("x-kubernetes-") and key != "nullable"}
    if "properties" in schema:
        result["properties"] = {name: strict(each) for name, each in schema["properties"].items()}
        if not schema.get("x-kubernetes-preserve-unknown-fields"):
            result["additionalProperties"] = False
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            result[key] = strict(schema[key])
    if schema.get("x-kubernetes-int-or-string"):
        result["type"] = ["integer", "string"]
        # Their alternatives say the same once more.
        result.pop("anyOf", None)
    elif schema.get("nullable") and "type" in result:
        result["type"] = [result["type"], "null"]
    return result


def custom_schemas(folder):
    schemas = {}
    for path in sorted(Path(folder).glob("*.yaml")):
        for crd in yaml.safe_load_all(path.read_text()):
            spec = crd["spec"]
            for version in spec["versions"]:
                schema = strict(version["schema"]["openAPIV3Schema"])
                # The server knows these three by itself.
                schema["properties"].update(apiVersion={"type": "string"}, kind={"type": "string"}, metadata={"type": "object"})
                schemas[f"{spec['group']}/{version['name']}", spec["names"]["kind"]] = schema
    return schemas


def problem_of(document, version, custom):
    schema = custom.get((document.get("apiVersion"), document.get("kind")))
    if schema is not None:
        error = jsonschema.exceptions.best_match(jsonschema.Draft7Validator(schema).iter_errors(document))
        return None if error is None else f"{error.json_path}: {error.message}"
    try:
        kubernetes_validate.validate(document, version, strict=True)
    except kubernetes_validate.ValidationError as error:
        return f"{'.'.join(str(part) for part in error.path)}: {error.message}"
    except kubernetes_validate.SchemaNotFoundError as error:
        return f"no schema: {error}"
    return None


def main():
    version, folder = sys.argv[1:3]
    custom = custom_schemas(folder)
    wrong = 0
    for document in yaml.safe_load_all(sys.stdin):
        if document is None:
            continue
        problem = problem_of(document, version, custom)
        if problem is not None:
            wrong += 1
            name = document.get("metadata", {}).get("name", "")
            print(json.dumps({"kind": document.get("kind", ""), "name": name, "problem": problem}))
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
