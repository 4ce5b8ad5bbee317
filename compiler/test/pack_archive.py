"""Packs a .pt2 archive from its parts as JSON: what torch.export.save would write, without PyTorch.

usage: pack_archive.py CASE.json OUTPUT.pt2     CASE.json: {"member": text | {"hex": bytes} | JSON value, ...}
"""

import json
import sys
import zipfile


def content_of(value):
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, dict) and set(value) == {"hex"}:
        return bytes.fromhex(value["hex"])
    return json.dumps(value).encode()


def main(case_path, output_path):
    with open(case_path, encoding="utf-8") as file:
        members = json.load(file)
    with zipfile.ZipFile(output_path, "w", zipfile.ZIP_STORED) as archive:
        for name, value in members.items():
            archive.writestr(zipfile.ZipInfo("case/" + name, (1980, 1, 1, 0, 0, 0)), content_of(value))


if __name__ == "__main__":
    main(*sys.argv[1:])
