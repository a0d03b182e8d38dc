# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""sign-file HASH KEY CERTIFICATE MODULE: append a signature, as the kernel's program of this name does."""

import struct
import subprocess
import sys

digest, key, certificate, module = sys.argv[1:]
command = ["openssl", "cms", "-sign", "-binary", "-noattr", "-nocerts", "-outform", "DER", "-md", digest]
signature = subprocess.run(
    [*command, "-signer", certificate, "-inkey", key, "-in", module], check=True, capture_output=True
).stdout
with open(module, "ab") as file:
    # No algorithms, identifier type 2 (PKCS#7), no lengths but that of the signature.
    file.write(signature + struct.pack(">BBBBBxxxI", 0, 0, 2, 0, 0, len(signature)) + b"~Module signature appended~\n")
