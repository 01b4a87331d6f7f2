"""Asks TensorFlow Serving for the features of image files, by its REST interface.

    python -m examples.rest_features URL FILE...

URL is such as http://localhost:8501/v1/models/simclr. Nothing but Python is needed.
"""

import base64
import json
import sys
import urllib.request


def request_body(files):
    """The JSON of a request: a file an instance, JSON has no bytes but base64."""
    instances = []
    for path in files:
        with open(path, "rb") as file:
            encoded = base64.b64encode(file.read()).decode("ascii")
        instances.append({"image_bytes": {"b64": encoded}})
    return {"signature_name": "serve_image_bytes", "instances": instances}


def features(url, files):
    """A list of floats for each file."""
    request = urllib.request.Request(
        f"{url}:predict",
        data=json.dumps(request_body(files)).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as response:
        predictions = json.load(response)["predictions"]
    # A signature with one output gives its values alone, others a dict of them.
    return [row["features"] if isinstance(row, dict) else row for row in predictions]


if __name__ == "__main__":
    address, *paths = sys.argv[1:]
    for path, row in zip(paths, features(address, paths), strict=True):
        print(path, *row[:4], "...")
