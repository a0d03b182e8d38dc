# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which kernels a DKMS driver builds for, and which of them boots.

The only argument is a JSON object: ``action`` is one of ACTIONS, the rest is said at each of them.
Prints one JSON object. Exits with 1 and one line on stderr when it cannot do its work.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

RECORD = "etc/selfhosted-llm/kernel-guard.json"
GRUB_MENU = "boot/grub/grub.cfg"
GRUB_DEFAULT = "etc/default/grub.d/selfhosted-llm-kernel-guard.cfg"
TIME = "%Y-%m-%d %H:%M:%S"  # as apt writes it
LOGS = "var/log/selfhosted-llm"
# Whoever installs packages has locked the first one, on the other family the others.
LOCKS = ("var/lib/dpkg/lock-frontend", "var/lib/rpm/.rpm.lock", "usr/lib/sysimage/rpm/.rpm.lock")
EXCLUSION = """\
# Written by selfhosted.llm: this version of the module does not build for this kernel.
BUILD_EXCLUSIVE_KERNEL="^$"
"""
ENVIRONMENT = {**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}


class Failed(Exception):
    """The message is one sentence for the user."""


def run(*command, check=True, cwd=None):
    try:
        done = subprocess.run(command, cwd=cwd, env=ENVIRONMENT, text=True, capture_output=True, check=False)
    except FileNotFoundError as exc:
        raise Failed(f"{command[0]} is not installed") from exc
    if check and done.returncode:
        words = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise Failed(f"{' '.join(command)} failed with {done.returncode}: {' '.join(words[-3:])}")
    return done.stdout if check else done


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def release_key(release):
    """Sorts 6.12.107 behind 6.12.94."""
    return [int(part) if part.isdigit() else 0 for part in re.split(r"[^0-9]+", release)]


def compiler_line(log):
    """The first error in the log of a build; those after it are often only its consequences."""
    for pattern in (r"\berror:", r"\*\*\* "):
        for line in log.splitlines():
            if re.search(pattern, line):
                # The directory of the build says nothing, and may be gone.
                return re.sub(r"^\S*/build/", "", line.strip())
    return "the build was cut off"


def exclusion(root, module, version, kernel):
    """A file that dkms reads for one version and one kernel, so that it means nothing to the next version."""
    return root / f"etc/dkms/{module}-{version}-{kernel}.conf"


def remove_exclusions(paths):
    for path in paths:
        if path.exists() and path.read_text() == EXCLUSION:
            path.unlink()


def failed_builds(root):
    """Of the modules that dkms could not build: (module, version, kernel, log)."""
    for log in sorted(root.glob("var/lib/dkms/nvidia*/*/build/make.log")):
        with log.open(errors="replace") as lines:
            kernel = re.search(r"for kernel (\S+)", lines.readline())
        if kernel and not (log.parents[1] / kernel[1]).exists():
            yield log.parts[-4], log.parts[-3], kernel[1], log


def unconfigured():
    """The packages that dpkg could not configure."""
    said = run("dpkg-query", "--show", "--showformat", "${db:Status-Status} ${Package}\n")
    states = ("half-configured", "half-installed", "unpacked", "triggers-awaited", "triggers-pending")
    return [package for state, package in map(str.split, said.splitlines()) if state in states]


# The trial compiles in a directory of its own, so that what is installed stays as it is.


def conf_value(conf, key):
    found = re.search(rf'(?m)^{key}=["\']?([^"\'\s]+)', conf)
    if not found:
        raise Failed(f"the dkms.conf in the package has no {key}")
    return found[1]


def keep_log(root, log, module, version, kernel):
    """What the log says, and a copy of it where neither dkms nor dpkg removes it."""
    kept = root / LOGS / f"{module}-{version}-{kernel}.log"
    write(kept, log.read_text(errors="replace"))
    return {"error": compiler_line(kept.read_text()), "log": str(kept)}


def build(root, folder, module, version, kernel):
    tree = folder / "tree"
    # Left by a hold; the package may have been mended since then without another version of the module.
    remove_exclusions([exclusion(root, module, version, kernel)])
    where = ["--dkmstree", str(tree), "--sourcetree", str(folder / "contents/usr/src")]
    done = run("dkms", "build", "-m", module, "-v", version, "-k", kernel, *where, check=False)
    if done.returncode == 0:
        return None
    said = (done.stderr.strip() or done.stdout.strip()).splitlines()
    failure = {"error": said[0] if said else f"dkms build ended with {done.returncode}", "log": ""}
    log = tree / module / version / "build/make.log"
    return keep_log(root, log, module, version, kernel) if log.exists() else failure


def concerned(root, boot, running):
    """The kernel that boots, the running one, and the newest, which the packages choose too when they build.

    The newest first: it is the one that fails if any does, and compiling takes minutes.
    """
    newest = max(
        (path.name[len("vmlinuz-") :] for path in root.glob("boot/vmlinuz-[0-9]*")), key=release_key, default=""
    )
    others = {kernel for kernel in (running, newest) if (root / f"lib/modules/{kernel}/build").exists()}
    return sorted({boot or running, *others}, key=release_key, reverse=True)


def trial(root, package, boot, running, hold):
    """Compile the module of a package that is not installed, for each kernel that is concerned.

    Ends at the first that fails, unless with hold one kernel is enough. The others are left out then, because dpkg
    could not configure the package otherwise.
    """
    since = time.strftime(TIME)
    # Not in /tmp, which may be in memory: a build takes more than a GB.
    with tempfile.TemporaryDirectory(prefix="selfhosted-llm-dkms-", dir=root / "var/tmp") as name:
        folder = Path(name)
        (folder / "tree").mkdir()
        run("apt-get", "--option", "APT::Sandbox::User=root", "download", package, cwd=folder)
        (archive,) = folder.glob("*.deb")
        run("dpkg-deb", "--extract", str(archive), str(folder / "contents"))
        found = list(folder.glob("contents/usr/src/*/dkms.conf"))
        if len(found) != 1:
            raise Failed(f"{package} has {len(found)} sources for DKMS, and one was expected")
        conf = found[0].read_text()
        module, version = conf_value(conf, "PACKAGE_NAME"), conf_value(conf, "PACKAGE_VERSION")
        good, failures = [], []
        for kernel in concerned(root, boot, running):
            failure = build(root, folder, module, version, kernel)
            if not failure:
                good.append(kernel)
                continue
            failures.append({"kernel": kernel, **failure})
            if not hold:
                break
        usable, prebuilt = bool(good) and (hold or not failures), ""
        if usable:
            # apt would begin with what dpkg could not configure, fail with the module that is to go, and end there.
            configure(root)
            for failure in failures:
                write(exclusion(root, module, version, failure["kernel"]), EXCLUSION)
            # The package's postinst looks there before it compiles. DKMS 3.2 takes only one kernel from such a file.
            path = root / f"usr/share/{module}-dkms/{module}-{version}.dkms.tar.gz"
            path.parent.mkdir(parents=True, exist_ok=True)
            options = ["--binaries-only", "--dkmstree", str(folder / "tree"), "--archive", str(path)]
            run("dkms", "mktarball", "-m", module, "-v", version, "-k", good[0], *options)
            prebuilt = str(path)
    return {"usable": usable, "since": since, "failures": failures, "prebuilt": prebuilt}


# What apt wrote down of a transaction is enough to undo it.


def transactions(history, package, since):
    """The newest first: packages that came, and those that were replaced or removed with their former versions."""
    for stanza in reversed(history.split("\n\n")):
        fields = dict(line.split(": ", 1) for line in stanza.strip().splitlines() if ": " in line)
        if package in fields.get("Commandline", "") and " ".join(fields["Start-Date"].split()) >= since:
            came = re.findall(r"([^\s,()]+) \(", fields.get("Install", ""))
            before = " ".join(fields.get(key, "") for key in ("Upgrade", "Downgrade", "Remove", "Purge"))
            yield came, dict(re.findall(r"([^\s,()]+) \(([^,)]+)", before))


def configure(root):
    """Let dpkg configure what it could not, without the kernels for which the module does not build."""
    excluded, said = set(), ""
    while unconfigured():
        failed = {exclusion(root, *build[:3]) for build in failed_builds(root)}
        # One attempt, and another one for each kernel that turns out not to build.
        if said and not failed - excluded:
            raise Failed(f"dpkg could not configure {', '.join(unconfigured())}: {said}")
        for path in failed:
            write(path, EXCLUSION)
        excluded |= failed
        done = run("dpkg", "--configure", "--pending", check=False)
        said = " ".join(done.stderr.split()) or "it gives no reason"
        if "locked by another process" in said:
            raise Failed(f"dpkg is busy on this host ({said}): when the other process has ended, run this again")


def restore(root, package, since):
    """Undo what apt has done for the package since then, and leave nothing unconfigured."""
    failures = [
        {"kernel": kernel, **keep_log(root, log, module, version, kernel)}
        for module, version, kernel, log in failed_builds(root)
        if time.strftime(TIME, time.localtime(log.stat().st_mtime)) >= since
    ]
    words = {}
    for came, before in transactions((root / "var/log/apt/history.log").read_text(), package, since):
        words.update({name: f"{name}-" for name in came})
        words.update({name: f"{name}={version}" for name, version in before.items()})
    options = ["--yes", "--no-install-recommends", "--allow-downgrades", "--allow-change-held-packages"]
    options += ["--option=DPkg::Lock::Timeout=600"]
    # The former version may be gone from the archive, or not build for these kernels either.
    done = run("apt-get", "install", *options, *words.values(), check=False)
    configure(root)
    problem = done.stderr.strip().splitlines()[-1:] if done.returncode else []
    return {"changed": bool(words), "failures": failures, "problem": "".join(problem)}


# A hold: the newest kernel that has the module is what boots, and the newer ones get no successor.


def packages_of(kernels):
    """The packages of kernels, and those whose purpose is to bring the newest kernel."""
    files = [path for kernel in kernels for path in (f"/boot/vmlinuz-{kernel}", f"/lib/modules/{kernel}/build")]
    owners = run("dpkg-query", "--search", *files, check=False).stdout.splitlines()
    found = {package.split(":")[0] for line in owners for package in line.rsplit(": ", 1)[0].split(", ")}
    shown = run("dpkg-query", "--show", "--showformat", "${Package} ${Depends}\n", "linux-*").splitlines()
    needs = {words[0]: set(words[1:]) for words in (re.findall(r"[^\s,|()]+", line) for line in shown)}
    while True:
        more = {package for package, words in needs.items() if words & found} - found
        if not more:
            return sorted(found)
        found |= more


def grub_entry(menu, kernel):
    """The path of ids that GRUB_DEFAULT wants."""
    parent = ""
    for line in menu.splitlines():
        found = re.match(r"(\s*)(menuentry|submenu)\s.*\$menuentry_id_option '([^']+)'", line)
        if found and found[2] == "submenu":
            parent = f"{found[3]}>"
        elif found and found[3].startswith(f"gnulinux-{kernel}-advanced-"):
            return f"{parent if found[1] else ''}{found[3]}"
    raise Failed(f"GRUB's menu has no entry for kernel {kernel}: run update-grub, then this again")


def has_grub(root):
    return (root / GRUB_MENU).exists() and shutil.which("update-grub")


def next_default(root, boot, newest):
    """The kernel that boots, or the newest one where GRUB's menu has yet to learn of it.

    A kernel's package that dpkg could not configure leaves the menu as it was, and any other package may renew it.
    """
    forgotten = has_grub(root) and newest and f"/vmlinuz-{newest}" not in (root / GRUB_MENU).read_text()
    return newest if forgotten else boot


def is_default(root, kernel):
    if has_grub(root):
        menu = (root / GRUB_MENU).read_text()
        return f'set default="{grub_entry(menu, kernel)}"' in menu
    if shutil.which("grubby"):
        return run("grubby", "--default-kernel").strip() == f"/boot/vmlinuz-{kernel}"
    raise Failed(f"its boot loader is neither GRUB nor one that grubby knows: make kernel {kernel} the default there")


def set_default(root, kernel, newest):
    """Make a kernel the default, or without one leave the choice to the boot loader again."""
    if not has_grub(root):
        run("grubby", "--set-default", f"/boot/vmlinuz-{kernel or newest}")
        return
    path = root / GRUB_DEFAULT
    if kernel:
        entry = grub_entry((root / GRUB_MENU).read_text(), kernel)
        write(path, f'# Written by selfhosted.llm; /{RECORD} belongs to it.\nGRUB_DEFAULT="{entry}"\n')
    elif path.exists():
        path.unlink()
    run("update-grub")


def broken_build(root, kernel):
    """What could not be built for a kernel, or nothing."""
    for module, version, failed, log in failed_builds(root):
        if failed == kernel:
            source = f"/usr/src/{module}-{version}/dkms.conf"
            asked = ["dpkg-query", "--search"] if shutil.which("dpkg") else ["rpm", "-qf", "--queryformat=%{NAME}:"]
            owner = run(*asked, source, check=False)
            package = owner.stdout.split(":")[0] if owner.returncode == 0 else module
            line = compiler_line(log.read_text(errors="replace"))
            return f"{package} {version} does not build for it: {line} (log: {log})"
    return ""


def autoinstall(root, kernels):
    """Let DKMS build and install what these kernels lack, and say what it could not."""
    problems = []
    for kernel in kernels:
        done = run("dkms", "autoinstall", "-k", kernel, check=False)
        if done.returncode:
            said = " ".join((done.stderr.strip() or done.stdout.strip()).splitlines()[-3:])
            problems.append(f"kernel {kernel}: {broken_build(root, kernel) or said}")
    return {"problems": problems}


def cause(root, kernel):
    """Why a kernel has no driver for the libraries, as far as DKMS tells."""
    broken = broken_build(root, kernel["release"])
    if broken:
        return broken
    if any(path.read_text() == EXCLUSION for path in root.glob(f"etc/dkms/*-{kernel['release']}.conf")):
        return "the installed version does not build for it"
    if kernel["version"]:
        return f"its module has version {kernel['version']}, which the libraries do not work with"
    if kernel["headers"]:
        return "no module was built for it"
    return "its headers are not installed, so that none could be built"


def fits(kernel, userspace):
    """Whether a kernel has a module that the libraries work with, as far as their version is known."""
    return kernel["version"] is not None and userspace in (None, kernel["version"])


def complaint(root, boot, kernels, userspace):
    """What a reboot would lead to, or nothing when the kernel that boots has the driver."""
    found = {kernel["release"]: kernel for kernel in kernels}
    kernel = found.get(boot, {"release": boot, "version": None, "headers": False})
    if fits(kernel, userspace):
        return ""
    said = [f"Kernel {boot} would boot without an NVIDIA driver: {cause(root, kernel)}."]
    left = unconfigured() if shutil.which("dpkg") else []
    if left:
        said.append(f"dpkg could not configure {', '.join(left)}.")
    working = [release for release in found if fits(found[release], userspace)]
    said.append(f"Kernel {working[-1]} has the driver." if working else "No other kernel here has the driver.")
    return " ".join(said)


def guard(root, policy, boot, kernels, userspace, check):
    """Bring the hold to what the kernels need, and say what a reboot would lead to."""
    kernels = sorted(kernels, key=lambda kernel: release_key(kernel["release"]))
    bootable = [kernel for kernel in kernels if (root / f"boot/vmlinuz-{kernel['release']}").exists()]
    driven = [kernel for kernel in bootable if kernel["version"]]
    # A hold outlives an upgrade of the libraries that was cut off.
    fitting = [kernel for kernel in driven if fits(kernel, userspace)] or driven
    working = [kernel["release"] for kernel in fitting]
    newest = bootable[-1]["release"] if bootable else ""
    path = root / RECORD
    record = json.loads(path.read_text()) if path.exists() else {}
    # A hold that is there stays until it is not needed, whatever the policy says by now.
    keep = working[-1] if working and working[-1] != newest and (record or policy == "hold") else ""
    if not keep and not record:
        reason = complaint(root, next_default(root, boot, newest), kernels, userspace)
        return {"changed": False, "actions": [], "reason": reason}

    dpkg = shutil.which("dpkg") is not None
    newer = [kernel["release"] for kernel in bootable if release_key(kernel["release"]) > release_key(keep)]
    held = run("apt-mark", "showhold").split() if dpkg else []
    wanted = packages_of(newer) if dpkg and keep else []
    # What was held before is the user's, and stays so.
    ours = [package for package in wanted if package in record.get("packages", []) or package not in held]
    former = [package for package in record.get("packages", []) if package not in wanted]
    steps = []
    if not keep or not is_default(root, keep):
        steps.append((f"boot {keep or 'the newest kernel'}", partial(set_default, root, keep, newest)))
    steps += [(f"hold {name}", partial(run, "apt-mark", "hold", name)) for name in ours if name not in held]
    steps += [(f"let {name} go", partial(run, "apt-mark", "unhold", name)) for name in former]
    broken = unconfigured() if dpkg and keep else []
    if broken:
        # After the default, because a kernel's postinst writes the boot menu.
        steps.append((f"configure {', '.join(broken)}", partial(configure, root)))
    if steps and not check:
        # First and last, so that the next run knows what one that was cut off had begun.
        write(path, json.dumps({"kernel": keep, "packages": sorted({*ours, *former})}))
        for _text, step in steps:
            step()
        if keep:
            write(path, json.dumps({"kernel": keep, "packages": ours}))
        else:
            remove_exclusions(root.glob("etc/dkms/*.conf"))
            path.unlink()
    return {"changed": bool(steps), "actions": [text for text, _step in steps], "reason": ""}


def idle(root):
    """Refuse when packages are being installed, which a reboot would leave half done."""
    for path in filter(Path.exists, (root / name for name in LOCKS)):
        with path.open("r+") as lock:
            try:
                fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as exc:
                raise Failed(f"packages are being installed ({path} is locked): run this again afterwards") from exc
    return {}


ACTIONS = {"trial": trial, "restore": restore, "autoinstall": autoinstall, "guard": guard, "idle": idle}


def main():
    arguments = json.loads(sys.argv[1])
    try:
        print(json.dumps(ACTIONS[arguments.pop("action")](Path("/"), **arguments)))
    except (Failed, OSError) as exc:
        sys.exit(str(exc))


if __name__ == "__main__":
    main()
