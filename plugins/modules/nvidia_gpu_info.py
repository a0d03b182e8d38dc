#!/usr/bin/python

# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: nvidia_gpu_info
short_description: Tell which GPUs a host has, and how far it is from using them
version_added: 0.1.0
description:
  - Looks at the GPUs on the PCI bus, at NVIDIA's driver in memory and on disk, at the GPUs as the driver sees them, and
    at what lets containers use them.
  - A host without a GPU, without a driver or without an engine gives empty lists. A program that is missing, fails or
    hangs is no failure.
  - No kernel module is ever loaded. C(nvidia-smi) runs only when the driver is in memory, because as root it would try
    to load it; it may still create C(/dev/nvidia*), which therefore prove nothing.
  - As root it knows most. Other users may not read the boot loader's configuration or ask the engine.
author:
  - selfhosted.llm contributors (@selfhosted-llm)
extends_documentation_fragment:
  - selfhosted.llm._attributes.info
options:
  gather_subset:
    description:
      - What to look at.
      - V(pci) reads C(/sys/bus/pci) only.
      - V(driver) reads files, and asks the package manager, C(modinfo) and, where they have something to tell, C(dkms),
        C(mokutil) and C(systemctl).
      - V(gpus) calls C(nvidia-smi) once; a second time, with C(-L), only when one bad GPU spoilt the first answer.
      - V(stack) reads the CDI specifications and asks the package manager and C(docker info).
    type: list
    elements: str
    choices:
      - pci
      - driver
      - gpus
      - stack
    default:
      - pci
      - driver
      - gpus
      - stack
  timeout:
    description:
      - After how many seconds a program is given up, with a warning. C(nvidia-smi) can hang on a GPU that is about to
        fail.
    type: int
    default: 30
seealso:
  - name: NVIDIA driver installation guide
    description: Which kernel modules drive which GPUs, and how distributions package them.
    link: https://docs.nvidia.com/datacenter/tesla/driver-installation-guide/
"""

EXAMPLES = r"""
- name: See what the host has and what its driver needs
  selfhosted.llm.nvidia_gpu_info:
    gather_subset:
      - pci
      - driver
  register: gpu

- name: Stop where the driver waits for a reboot
  ansible.builtin.assert:
    that: not gpu.driver.reboot_required
    fail_msg: "{{ gpu.driver.reason }} {{ gpu.driver.hint }}"

- name: Look at the GPUs themselves
  selfhosted.llm.nvidia_gpu_info:
    gather_subset: gpus
    timeout: 10
  register: gpu

- name: Show their memory in GiB
  ansible.builtin.debug:
    msg: "{{ gpu.gpus | map(attribute='memory', default=0) | sum / 1024 ** 3 }}"
"""

RETURN = r"""
pci:
  description: The devices on the PCI bus, sorted by address. No driver is needed to see them.
  returned: when O(gather_subset) has V(pci)
  type: dict
  contains:
    gpus:
      description:
        - The GPUs of NVIDIA, AMD and Intel, also those that a virtual machine was given (their driver is C(vfio-pci)).
        - Virtual functions of a GPU are left out on the host that has the GPU itself.
      type: list
      elements: dict
      contains:
        vendor:
          description: V(nvidia), V(amd) or V(intel).
          type: str
          sample: nvidia
        vendor_id:
          description: The PCI id of the vendor, in hexadecimal digits as the other ids.
          type: str
          sample: 10de
        device_id:
          description: The PCI id of the device.
          type: str
          sample: "2330"
        subsystem_vendor_id:
          description: The id of the vendor of the card.
          type: str
          sample: 10de
        subsystem_device_id:
          description: The id of the card.
          type: str
          sample: "16c1"
        name:
          description: The name of the device, null when neither this module nor the host's C(pci.ids) knows it.
          type: str
          sample: NVIDIA H100 80GB HBM3
        architecture:
          description:
            - V(maxwell), V(pascal), V(volta), V(turing), V(ampere), V(ada), V(hopper) or V(blackwell).
            - Null for another vendor's GPU, and for one that is older or newer than these.
          type: str
          sample: hopper
        flavours:
          description:
            - The flavours of NVIDIA's kernel modules that drive it, V(open) and V(proprietary). The branch of the
              driver can limit them further.
            - Empty for another vendor's GPU and for one that is older than Maxwell. Only V(open) for one that is newer
              than this module.
          type: list
          elements: str
          sample:
            - open
            - proprietary
        usable:
          description:
            - Whether NVIDIA's driver can make it work on this host. It cannot for another vendor's GPU, for one that is
              older than Maxwell, and for one that is handed to a virtual machine.
          type: bool
          sample: true
        address:
          description: The address on the bus.
          type: str
          sample: "0000:1b:00.0"
        driver:
          description: The kernel driver that is bound to it, null without one.
          type: str
          sample: nvidia
        numa_node:
          description: The NUMA node, null on a machine that has none.
          type: int
          sample: 0
    nvswitches:
      description: The NVSwitches, which need the Fabric Manager.
      type: list
      elements: dict
      contains:
        address:
          description: The address on the bus.
          type: str
          sample: "0000:07:00.0"
        device_id:
          description: The PCI id of the device.
          type: str
          sample: 22a3
        driver:
          description: The kernel driver that is bound to it, null without one.
          type: str
          sample: nvidia-nvswitch
driver:
  description: NVIDIA's driver in memory and on disk.
  returned: when O(gather_subset) has V(driver)
  type: dict
  contains:
    loaded:
      description: The module in memory, null when there is none.
      type: dict
      contains:
        version:
          description: Its version.
          type: str
          sample: 580.95.05
        flavour:
          description: V(open) or V(proprietary), null when the kernel does not tell.
          type: str
          sample: open
    running_kernel:
      description: The release of the kernel that runs.
      type: str
      sample: 6.12.94+deb13-amd64
    boot_kernel:
      description:
        - The release of the kernel that boots next, from GRUB, from entries after the Boot Loader Specification or from
          systemd-boot. Where none of them tells, or a user must not read them, it is the newest kernel in C(/boot).
        - Null where C(/boot) has no kernel, as in a container. The decision then takes it for the running one.
      type: str
      sample: 6.12.107+deb13-amd64
    boots_without_driver:
      description:
        - Whether the kernel that boots has no module although a driver is there, or one of another version than the
          libraries, so that a reboot would take the GPUs away. Nobody should reboot then.
      type: bool
      sample: false
    kernels:
      description: The installed kernels, the newest first.
      type: list
      elements: dict
      contains:
        release:
          description: The release.
          type: str
          sample: 6.12.94+deb13-amd64
        version:
          description: The version of the module on disk for it, null without one. It is that of the first file.
          type: str
          sample: 580.95.05
        flavour:
          description: V(open) or V(proprietary) after the licence of the module, null when it is not known.
          type: str
          sample: open
        files:
          description: The files of the module, what the kernel's tools prefer first.
          type: list
          elements: str
          sample:
            - /lib/modules/6.12.94+deb13-amd64/updates/dkms/nvidia.ko.xz
        running:
          description: Whether it runs.
          type: bool
          sample: true
        boots:
          description: Whether it boots next.
          type: bool
          sample: false
        headers:
          description: Whether its headers are there to build modules.
          type: bool
          sample: true
    source:
      description:
        - V(nvidia) for packages of NVIDIA's repositories, V(distro) for all others, V(runfile) for NVIDIA's installer.
        - Null when no driver is installed, or when RV(driver.sources) has more than one.
      type: str
      sample: nvidia
    sources:
      description: All sources of which a part of the driver is installed. Two are one too many.
      type: list
      elements: str
      sample:
        - nvidia
    packages:
      description: The installed packages of the driver with their versions, without the epoch of RPM.
      type: dict
      sample:
        nvidia-kernel-open-dkms: 580.95.05-1
    held:
      description: Those of them that are held, by C(dpkg) or by C(dnf versionlock).
      type: list
      elements: str
      sample:
        - nvidia-kernel-open-dkms
    broken:
      description: Those of them whose installation C(dpkg) could not finish, as after a failed build.
      type: list
      elements: str
      sample: []
    dkms:
      description: What DKMS says of the drivers that it builds.
      type: list
      elements: dict
      contains:
        name:
          description: The name of the module there.
          type: str
          sample: nvidia
        version:
          description: The version of its source.
          type: str
          sample: 580.95.05
        kernel:
          description: The release of the kernel for which it was built, null before a build.
          type: str
          sample: 6.12.94+deb13-amd64
        state:
          description: V(added), V(built), V(installed) or another state of DKMS.
          type: str
          sample: installed
        note:
          description: What DKMS says in addition, null otherwise.
          type: str
          sample: null
    nouveau:
      description: Whether the kernel's own driver C(nouveau) or C(nova_core) is loaded.
      type: bool
      sample: false
    secure_boot:
      description: Secure Boot.
      type: dict
      contains:
        enabled:
          description: Whether the firmware enforces it.
          type: bool
          sample: false
        key:
          description: The key with which DKMS signs here, null when there is none.
          type: str
          sample: /var/lib/dkms/mok.pub
        enrolled:
          description: Whether the firmware trusts that key. Null when it is not known, or Secure Boot is off.
          type: bool
          sample: null
    userspace_version:
      description: The version of the driver's libraries, null without any.
      type: str
      sample: 580.95.05
    persistence:
      description:
        - Whether the service nvidia-persistenced runs, null when it is not installed.
        - RV(gpus[].persistence) is the mode itself, as C(nvidia-smi) reports it.
      type: bool
      sample: true
    action:
      description:
        - What is missing until the right module is loaded.
        - V(none), V(load) (it is on disk), V(reboot), or V(build) (a reboot would not help).
      type: str
      sample: none
    reboot_required:
      description: Whether RV(driver.action) is V(reboot).
      type: bool
      sample: false
    reason:
      description: Why, with kernels and versions.
      type: str
      sample: Version 580.95.05 (open) of the nvidia module is loaded, and no other one waits.
    hint:
      description: What to do, empty when there is nothing to do.
      type: str
      sample: ""
gpus:
  description:
    - The GPUs as the driver sees them. What a version of C(nvidia-smi) or a GPU does not know is left out.
  returned: when O(gather_subset) has V(gpus)
  type: list
  elements: dict
  contains:
    index:
      description: The number of the GPU, left out when other GPUs are missing and it cannot be known.
      type: int
      sample: 0
    uuid:
      description: Its UUID.
      type: str
      sample: GPU-12345678-1234-1234-1234-123456780000
    name:
      description: Its name.
      type: str
      sample: NVIDIA A100-SXM4-40GB
    address:
      description: Its address on the PCI bus, as in RV(pci.gpus[].address).
      type: str
      sample: "0000:07:00.0"
    device_id:
      description: The PCI id of the device.
      type: str
      sample: 20b0
    serial:
      description: The serial number of the board.
      type: str
      sample: "1324821083800"
    architecture:
      description: The generation, as in RV(pci.gpus[].architecture).
      type: str
      sample: ampere
    compute_capability:
      description: The CUDA compute capability of the chip, by the id of the device.
      type: str
      sample: "8.0"
    memory:
      description: The memory in bytes.
      type: int
      sample: 42949672960
    memory_used:
      description: How much of it is taken, in bytes.
      type: int
      sample: 0
    mig:
      description: How the GPU is divided into instances. Left out where it cannot be.
      type: dict
      contains:
        current:
          description: Whether it is divided now.
          type: bool
          sample: false
        pending:
          description: Whether it will be after a reset.
          type: bool
          sample: false
        instances:
          description: The instances. C(nvidia-smi -q -x) knows neither their UUIDs nor their profiles.
          type: list
          elements: dict
          contains:
            index:
              description: The number of the instance on its GPU.
              type: int
              sample: 0
            memory:
              description: Its memory in bytes.
              type: int
              sample: 21072183296
            uuid:
              description: Its UUID.
              returned: when C(nvidia-smi -L) had to be asked
              type: str
              sample: MIG-5c89852c-d268-5c8d-9cb5-000100abc000
            profile:
              description: Its profile.
              returned: when C(nvidia-smi -L) had to be asked
              type: str
              sample: 3g.20gb
    ecc:
      description: Error correction of the memory. Left out where the GPU has none.
      type: dict
      contains:
        current:
          description: Whether it is on.
          type: bool
          sample: true
        pending:
          description: Whether it will be on after a reset.
          type: bool
          sample: true
        uncorrected:
          description: The errors since the driver was loaded that could not be corrected.
          type: int
          sample: 0
        remap_failure:
          description: Whether the GPU could not replace broken rows of its memory, and has to be replaced itself.
          type: bool
          sample: false
    temperature:
      description: The temperature in degrees Celsius.
      type: int
      sample: 33
    power_draw:
      description: The power that it draws in watts.
      type: float
      sample: 72.0
    power_limit:
      description: The power that it may draw in watts.
      type: float
      sample: 400.0
    persistence:
      description: Whether persistence mode is on, as C(nvidia-smi) reports it.
      type: bool
      sample: true
    compute_mode:
      description: Who may compute on it, C(Default) for everybody.
      type: str
      sample: Default
    lost:
      description: Whether it has fallen from the bus or does not answer. Only a reboot of the host brings it back.
      type: bool
      sample: false
    error:
      description: Why C(nvidia-smi) could not ask it.
      returned: when it could not
      type: str
      sample: GPU is lost.  Reboot the system to recover this GPU
smi:
  description: How C(nvidia-smi) answered.
  returned: when O(gather_subset) has V(gpus)
  type: dict
  contains:
    available:
      description: Whether it was run. It is not when it is missing, or when the driver is not loaded.
      type: bool
      sample: true
    rc:
      description: Its return code, null when it did not run to its end.
      type: int
      sample: 0
    error:
      description: What it said instead of an answer, null otherwise.
      type: str
      sample: null
    cause:
      description:
        - What that means. V(mismatch) (the libraries are not of the loaded version), V(no_driver), V(no_program),
          V(no_library), V(permissions), V(lost), V(timeout), V(no_devices) (mostly a module of the wrong flavour) or
          V(unknown). Null when all is well.
      type: str
      sample: null
    complete:
      description: Whether RV(gpus) has all GPUs that the driver knows, and each of them answered.
      type: bool
      sample: true
    driver_version:
      description: The version of the driver in its answer, null without one.
      type: str
      sample: 550.163.01
    cuda_version:
      description: The newest version of CUDA that the driver runs, null when it is not known.
      type: str
      sample: "12.4"
stack:
  description: What lets containers use the GPUs.
  returned: when O(gather_subset) has V(stack)
  type: dict
  contains:
    toolkit:
      description: NVIDIA's container toolkit.
      type: dict
      contains:
        version:
          description: Its version, null when it is not installed.
          type: str
          sample: 1.18.1
        packages:
          description: Its packages with their versions.
          type: dict
          sample:
            nvidia-container-toolkit: 1.18.1-1
        held:
          description: Those of them that are held.
          type: list
          elements: str
          sample: []
    cdi:
      description: The CDI specifications in C(/etc/cdi) and C(/var/run/cdi).
      type: dict
      contains:
        devices:
          description: The names of all devices of kind C(nvidia.com/gpu), as an engine takes them.
          type: list
          elements: str
          sample:
            - nvidia.com/gpu=0
            - nvidia.com/gpu=all
        driver_version:
          description:
            - The version of the driver that the specifications of that kind bring into a container, null when it is
              not known or they disagree.
          type: str
          sample: 580.95.05
        specs:
          description: The specifications of all kinds.
          type: list
          elements: dict
          contains:
            path:
              description: The file.
              type: str
              sample: /var/run/cdi/nvidia.yaml
            kind:
              description: The kind of its devices, null when it could not be read.
              type: str
              sample: nvidia.com/gpu
            driver_version:
              description: The version of NVIDIA's libraries in it, null when it has none.
              type: str
              sample: 580.95.05
            devices:
              description: The names of its devices, without their kind.
              type: list
              elements: str
              sample:
                - "0"
                - all
            error:
              description: Why it could not be read, null otherwise. Engines leave such a file out without a word.
              type: str
              sample: null
        duplicates:
          description:
            - The devices that are in more than one file. Of two in one directory an engine takes none, of two
              directories it takes the one in C(/var/run/cdi).
          type: list
          elements: str
          sample: []
    engine:
      description: The Docker Engine, null when none answers.
      type: dict
      contains:
        version:
          description: Its version.
          type: str
          sample: 28.5.2
        runtimes:
          description: The names of its runtimes.
          type: list
          elements: str
          sample:
            - nvidia
            - runc
        default_runtime:
          description: The runtime of containers that name none.
          type: str
          sample: runc
        cgroup_driver:
          description: Who makes the control groups of containers, V(systemd) or V(cgroupfs).
          type: str
          sample: systemd
        cdi:
          description: Whether containers can ask it for CDI devices.
          type: bool
          sample: true
        cdi_dirs:
          description: Where it looks for CDI specifications.
          type: list
          elements: str
          sample:
            - /etc/cdi
            - /var/run/cdi
        containers_running:
          description: How many containers run.
          type: int
          sample: 2
        live_restore:
          description: Whether containers keep running while it restarts.
          type: bool
          sample: true
        swarm:
          description: Whether it is part of a swarm, which rules live restore out.
          type: bool
          sample: false
    daemon_config:
      description: The engine's configuration file C(/etc/docker/daemon.json).
      type: dict
      contains:
        error:
          description: Why it could not be read, null otherwise.
          type: str
          sample: null
"""

import os
import signal
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.selfhosted.llm.plugins.module_utils._nvidia import driver, packages, pci, smi, stack
from ansible_collections.selfhosted.llm.plugins.module_utils._nvidia.host import Host, Output

SUBSETS = ["pci", "driver", "gpus", "stack"]


class Expired(Exception):
    """A program did not end in time."""


def expire(_signal: int, _frame: object) -> None:
    raise Expired


def run(module: AnsibleModule, *command: str) -> Output | None:
    """Run a program. It is left behind at the time limit: what hangs in a kernel call cannot even be killed."""
    program = module.get_bin_path(command[0])
    if program is None:
        return None
    started: list[t.Any] = []
    signal.signal(signal.SIGALRM, expire)
    signal.alarm(module.params["timeout"])
    try:
        return Output(
            *module.run_command(
                [program, *command[1:]],
                environ_update={"LC_ALL": "C"},
                handle_exceptions=False,
                before_communicate_callback=started.append,
            )
        )
    except Expired:
        for process in started:
            process.kill()
        error = f"{command[0]} did not end within {module.params['timeout']} seconds."
        module.warn(f"{error} What it would have told is missing in the result.")
        return Output(None, "", error)
    except OSError as exc:
        return Output(126, "", f"{program} cannot be run: {exc}.")
    finally:
        signal.alarm(0)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "gather_subset": {"type": "list", "elements": "str", "choices": SUBSETS, "default": SUBSETS},
            "timeout": {"type": "int", "default": 30},
        },
        supports_check_mode=True,
    )
    host = Host(lambda *command: run(module, *command))
    wanted = module.params["gather_subset"]
    result: dict[str, t.Any] = {}
    if "pci" in wanted:
        result["pci"] = pci.describe(host)
    if "driver" in wanted or "stack" in wanted:
        of_driver, of_toolkit = packages.installed(host)
    if "driver" in wanted:
        result["driver"] = driver.describe(host, os.uname().release, of_driver)
    if "gpus" in wanted:
        result.update(smi.describe(host, driver.loaded(host) is not None))
    if "stack" in wanted:
        result["stack"] = stack.describe(host, of_toolkit)
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
