# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Puts Open WebUI from PyPI into its image.

Not a step of the Dockerfile: PyPI may be reachable only with this machine's CA bundle, which must not stay in the
image, and a build secret needs a newer builder than Debian's engine has.
"""

from __future__ import annotations

import os
import pathlib
import shlex
import shutil
import ssl
import uuid

from tests.testbed.shell import docker

# uv, as in the original image: a third of pip's time. It does not stay in the image.
INSTALL = """\
set -e
python3 -m pip install --quiet --root-user-action=ignore --target /tmp/uv uv==0.13.9
PYTHONPATH=/tmp/uv python3 -m uv pip install --quiet --system --break-system-packages --no-deps --compile-bytecode \\
    --no-cache -r /mnt/requirements.txt
rm -rf /tmp/uv /tmp/uv-*.lock
"""
# How a setting of this machine's pip or network is called in the container.
PASSED_ON = {
    "PIP_INDEX_URL": ("PIP_INDEX_URL", "UV_DEFAULT_INDEX"),
    "PIP_EXTRA_INDEX_URL": ("PIP_EXTRA_INDEX_URL", "UV_INDEX"),
    "HTTP_PROXY": ("HTTP_PROXY", "http_proxy"),
    "HTTPS_PROXY": ("HTTPS_PROXY", "https_proxy"),
}


def ca_bundle() -> str | None:
    """The CA bundle with which this machine reaches PyPI."""
    wish = os.environ.get("PIP_CERT") or os.environ.get("SSL_CERT_FILE") or ssl.get_default_verify_paths().cafile
    return wish if wish and os.path.isfile(wish) else None


def install(below: str, tag: str, context: pathlib.Path) -> None:
    name = f"selfhosted-llm-build-{uuid.uuid4().hex[:8]}"
    settings = {name: os.environ[here] for here, names in PASSED_ON.items() if here in os.environ for name in names}
    if bundle := ca_bundle():
        shutil.copy(bundle, context / "ca.crt")
        settings.update(PIP_CERT="/mnt/ca.crt", SSL_CERT_FILE="/mnt/ca.crt")
    # In a file and not in the container's environment or command, which a commit keeps in the image and its history.
    exports = [f"export {variable}={shlex.quote(value)}\n" for variable, value in settings.items()]
    (context / "install.sh").write_text("".join([*exports, INSTALL]))
    try:
        docker(
            *("run", f"--name={name}", f"--volume={context}:/mnt:ro", below, "sh", "/mnt/install.sh"),
            doing="Installing Open WebUI from PyPI",
            timeout=900,
            next_step="Check that PyPI is reachable (behind a proxy that signs TLS itself, set PIP_CERT).",
        )
        docker("commit", '--change=CMD ["bash", "start.sh"]', name, tag, doing=f"Making {tag}", timeout=300)
    finally:
        docker("rm", "--force", "--volumes", name, doing="Removing the build container")
