# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Secure Boot: the variables of the firmware, the enrolled keys, and whether a module's signature is accepted."""

from __future__ import annotations

import pathlib
import shutil
import struct
import subprocess
import tempfile
import typing as t
import uuid

EFI = pathlib.Path("/sys/firmware/efi")
GLOBAL = "8be4df61-93ca-11d2-aa0d-00e098032b8c"
SHIM = "605dab50-e046-4300-abb6-3dd810dd8b23"
X509 = uuid.UUID("a5c059a1-94e4-4aa7-87b5-ab155c2bf072")
# The key with which dkms signs what it builds, and the copies that the firmware has.
OWN_KEY = pathlib.Path("/var/lib/dkms/mok.key")
OWN_CERTIFICATE = pathlib.Path("/var/lib/dkms/mok.pub")
ENROLLED = pathlib.Path("/etc/testbed/enrolled.der")
MAGIC = b"~Module signature appended~\n"


def make(state: dict[str, t.Any]) -> None:
    shutil.rmtree(EFI, ignore_errors=True)
    if state["secure_boot"] == "none":
        return
    variables = {f"SecureBoot-{GLOBAL}": bytes([state["secure_boot"] == "on"]), f"SetupMode-{GLOBAL}": b"\0"}
    if state["enrolled"]:
        variables[f"MokListRT-{SHIM}"] = _signature_list(ENROLLED.read_bytes())
    (EFI / "efivars").mkdir(parents=True)
    for name, value in variables.items():
        (EFI / "efivars" / name).write_bytes(struct.pack("<I", 6) + value)


def _signature_list(certificate: bytes) -> bytes:
    size = 16 + len(certificate)
    return X509.bytes_le + struct.pack("<III", 28 + size, 0, size) + uuid.UUID(SHIM).bytes_le + certificate


def enroll() -> None:
    """What mokutil --import and a person at the console do; dkms' key is made if it is not there."""
    if not OWN_CERTIFICATE.exists():
        OWN_KEY.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            [
                *(
                    "openssl",
                    "req",
                    "-new",
                    "-x509",
                    "-nodes",
                    "-days",
                    "36500",
                    "-subj",
                    "/CN=DKMS module signing key",
                ),
                *("-newkey", "rsa:2048", "-keyout", OWN_KEY, "-outform", "DER", "-out", OWN_CERTIFICATE),
            ],
            check=True,
            capture_output=True,
        )
    ENROLLED.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(OWN_CERTIFICATE, ENROLLED)


def accepts(state: dict[str, t.Any], module: pathlib.Path) -> bool:
    """Whether the kernel takes this module: with Secure Boot only one that an enrolled key has signed."""
    if state["secure_boot"] != "on":
        return True
    body = module.read_bytes()
    if not state["enrolled"] or not body.endswith(MAGIC):
        return False
    body = body[: -len(MAGIC)]
    size = struct.unpack(">I", body[-4:])[0]
    with tempfile.TemporaryDirectory() as folder:
        signature, content = pathlib.Path(folder, "signature"), pathlib.Path(folder, "content")
        signature.write_bytes(body[-12 - size : -12])
        content.write_bytes(body[: -12 - size])
        command = ["openssl", "cms", "-verify", "-binary", "-inform", "DER", "-in", signature, "-content", content]
        certificate = ["-certfile", ENROLLED, "-nointern", "-noverify", "-out", "/dev/null"]
        return subprocess.run([*command, *certificate], check=False, capture_output=True).returncode == 0
