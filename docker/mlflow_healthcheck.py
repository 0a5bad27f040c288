"""Exit 0 if the MLflow server at the given URL answers a search of experiments, which needs its database and its host list."""

import json
import sys
import urllib.request

request = urllib.request.Request(  # noqa: S310 - the URL stands in compose.yaml
    sys.argv[1] + "/api/2.0/mlflow/experiments/search",
    data=json.dumps({"max_results": 1}).encode(),
    headers={"Content-Type": "application/json"},
)
with urllib.request.urlopen(request, timeout=5) as reply:  # noqa: S310
    sys.exit(0 if "experiments" in json.load(reply) else 1)
