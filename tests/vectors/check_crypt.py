#!/usr/bin/env python3
"""Reproduces crypt.json from docs/FORMAT.md 1 and 2 alone, with the `cryptography` package and nothing of Strongroom.

Prints how many values were checked; exits with 1 at the first difference.
"""

import hashlib
import hmac
import json
import pathlib
import struct
import sys

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

VERSION = struct.pack("<H", 1)
CHUNK = 65536
ZERO = bytes(16)
checked = 0


def same(what, found, expected):
    global checked
    if found != expected:
        sys.exit(f"{what}: computed {show(found)}, stored {show(expected)}")
    checked += 1


def show(value):
    return value.hex() if isinstance(value, bytes) else repr(value)


def unhex(text):
    return bytes.fromhex(text)


def pattern(length):
    return bytes((7 * i + i // 256) % 251 for i in range(length))


def expand(parent, label, length, bucket=ZERO, slot=0, generation=0, subject=ZERO, salt=ZERO, suite=1):
    info = label.encode().ljust(16, b"\0") + bytes([suite]) + bucket + struct.pack("<HI", slot, generation) + subject + salt
    assert len(info) == 71
    return HKDFExpand(algorithm=SHA256(), length=length, info=info).derive(parent)


def seal(key, number, aad, plain):
    return AESGCM(key).encrypt(struct.pack("<Q", number) + bytes(4), plain, aad)


def mac(key, data):
    return hmac.new(key, data, hashlib.sha256).digest()


class Reader:
    """Takes fields from the front of bytes."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def raw(self, length):
        self.at += length
        assert self.at <= len(self.data)
        return self.data[self.at - length : self.at]

    def number(self, length):
        return int.from_bytes(self.raw(length), "little")


def check_entropy(vectors):
    seed = int(vectors["seed"], 16)
    for call, stored in enumerate(vectors["calls"]):
        stored = unhex(stored)
        stream = b"".join(
            hashlib.sha256(struct.pack("<QQQ", seed, call, block)).digest() for block in range(len(stored) // 32 + 1)
        )
        same(f"seeded entropy, call {call}", stream[: len(stored)], stored)


def check_derivation(vector):
    wide = expand(
        unhex(vector["parent"]), vector["label"], 64, unhex(vector["bucket"]), vector["slot"],
        vector["generation"], unhex(vector["subject"]), unhex(vector["salt"]), vector["suite"],
    )
    same(f"key of {vector['label']}", wide[:32], unhex(vector["key"]))
    same(f"commitment of {vector['label']}", wide[32:], unhex(vector["commitment"]))


def check_sealed_key(vector):
    label, parent = vector["label"], unhex(vector["parent"])
    if label == "customer-oek":
        parent = mac(b"strongroom customer key v1", parent)
    read = Reader(unhex(vector["record"]))
    same(f"suite of {label}", read.number(1), 1)
    slot, generation = read.number(2), read.number(4)
    subject, salt = read.raw(16), read.raw(16)
    if label in ("object-oek", "customer-oek"):
        same(f"slot of {label}", (slot, generation), (0xFFFE if label == "object-oek" else 0xFFFF, 0))
    wide = expand(parent, label, 64, unhex(vector["bucket"]), slot, generation, subject, salt)
    same(f"commitment of a sealed {label}", wide[32:], read.raw(32))
    same(f"sealed {label}", seal(wide[:32], 0, VERSION, unhex(vector["key"])), read.raw(48))
    same(f"length of a sealed {label}", len(read.data), read.at)


def check_keyring(vector):
    data, bucket = unhex(vector["file"]), unhex(vector["bucket"])
    read = Reader(data)
    same("magic", read.raw(8), b"SRKEYRNG")
    same("header", (read.number(2), read.number(1), read.number(1)), (1, 1, 0))
    same("store and bucket", read.raw(32), unhex(vector["store"]) + bucket)
    same("version and epoch", (read.number(8), read.number(8)), (vector["version"], vector["epoch"]))
    counts = read.number(2), read.number(2)
    same("counts", counts, (len(vector["slots"]), len(vector["bucket_keys"])))
    for entry in vector["slots"]:
        same("slot", (read.number(2), read.number(1)), (entry["slot"], 1 if entry["slot"] == 0 else 2))
        same("EK name", read.raw(read.number(1)), entry["ek_name"].encode())
        same("sealed DEK", read.raw(read.number(2)), unhex(entry["sealed_dek"]))
    for key in vector["bucket_keys"]:
        place = key["slot"], key["generation"]
        same("place of a bucket key", (read.number(2), read.number(4)), place)
        same("state", read.number(1), 1 if key["active"] else 2)
        dek, salt = unhex(vector["deks"][str(place[0])]), read.raw(16)
        wide = expand(dek, "bucket-key", 64, bucket, *place, salt=salt)
        same("commitment of a bucket key", wide[32:], read.raw(32))
        same("sealed bucket key", seal(wide[:32], 0, VERSION, unhex(key["key"])), read.raw(48))
    generation = read.number(4)
    same("MAC generation", generation, vector["mac_generation"])
    catalog = unhex(vector["catalog"])
    mac_key = expand(unhex(vector["catalog_key"]), "keyring-mac", 32, catalog, 0, generation, bucket)
    same("MAC of a keyring", mac(mac_key, data[: read.at]), read.raw(32))
    same("tag of a keyring", data[-32:], unhex(vector["tag"]))
    same("length of a keyring", len(data), read.at)


def check_content(vector):
    oek, oek_id = unhex(vector["oek"]), unhex(vector["oek_id"])
    for segment in vector["segments"]:
        plain, salt = pattern(segment["pattern_len"]), unhex(segment["salt"])
        key = expand(oek, "segment", 32, subject=oek_id, salt=salt)
        chunks = [plain[at : at + CHUNK] for at in range(0, len(plain), CHUNK)]
        sealed = []
        for index, chunk in enumerate(chunks):
            aad = VERSION + oek_id + salt + struct.pack("<IB", index, index + 1 == len(chunks))
            sealed.append(seal(key, index, aad, chunk))
        same("tags of a segment", [chunk[-16:].hex() for chunk in sealed], segment["tags"])
        same("a segment", hashlib.sha256(b"".join(sealed)).hexdigest(), segment["sealed_sha256"])
    for record in vector["in_record"]:
        stored = unhex(record["sealed"])
        salt = stored[:16]
        key = expand(oek, record["label"], 32, subject=oek_id, salt=salt)
        sealed = seal(key, 0, VERSION + oek_id + salt, pattern(record["pattern_len"]))
        same(f"{record['label']} in a record", salt + sealed, stored)


def check_records(vector):
    bucket, file_id, file_key = (unhex(vector[name]) for name in ("bucket", "file_id", "file_key"))
    for record in vector["records"]:
        key = expand(file_key, record["label"], 32, bucket, subject=file_id)
        sealed = seal(key, int(record["number"]), unhex(record["aad"]), pattern(record["pattern_len"]))
        same(f"a {record['label']} record", sealed, unhex(record["sealed"]))
    header = vector["header"]
    key = expand(file_key, "file-header", 32, bucket, subject=file_id)
    same("MAC of a header", mac(key, pattern(header["pattern_len"])), unhex(header["mac"]))


def check_manifest(vector):
    salt = unhex(vector["salt"])
    key = expand(
        unhex(vector["bucket_key"]), "manifest", 32, unhex(vector["bucket"]), 0, vector["generation"], salt=salt
    )
    same("a manifest", seal(key, 0, unhex(vector["aad"]), pattern(vector["pattern_len"])), unhex(vector["sealed"]))


def check_secret(vector):
    read = Reader(unhex(vector["sealed"]))
    same("suite of a secret", read.number(1), 1)
    generation, salt = read.number(4), read.raw(16)
    wide = expand(
        unhex(vector["bucket_key"]), "catalog-secret", 64, unhex(vector["catalog"]), 0, generation, salt=salt
    )
    same("commitment of a secret", wide[32:], read.raw(32))
    sealed = seal(wide[:32], 0, VERSION + vector["context"].encode(), unhex(vector["plain"]))
    same("a secret", sealed, read.data[read.at :])


def main():
    vectors = json.loads(pathlib.Path(__file__).with_name("crypt.json").read_text())
    same("format version", vectors["format_version"], 1)
    check_entropy(vectors["seeded_entropy"])
    for vector in vectors["derivation"]:
        check_derivation(vector)
    for vector in vectors["sealed_keys"]:
        check_sealed_key(vector)
    for vector in vectors["keyrings"]:
        check_keyring(vector)
    check_content(vectors["content"])
    check_records(vectors["records"])
    check_manifest(vectors["manifest"])
    check_secret(vectors["secret"])
    print(f"{checked} values of crypt.json reproduced")


if __name__ == "__main__":
    main()
