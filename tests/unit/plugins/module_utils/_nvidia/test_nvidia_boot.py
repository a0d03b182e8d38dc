# Copyright (c) 2026, selfhosted.llm contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.selfhosted.llm.plugins.module_utils._nvidia.boot import boot_kernel
from ansible_collections.selfhosted.llm.plugins.module_utils._nvidia.host import version_key

OLD, NEW = "6.12.94+deb13-amd64", "6.12.107+deb13-amd64"
UUID = "6a1f0a3e-8d0c-4b3e-9a51-0d6a6c7b9f10"

# After /boot/grub/grub.cfg as Debian's update-grub writes it.
HEADER = """\
### BEGIN /etc/grub.d/00_header ###
if [ -s $prefix/grubenv ]; then
  set have_grubenv=true
  load_env
fi
if [ "${next_entry}" ] ; then
   set default="${next_entry}"
   set next_entry=
   save_env next_entry
   set boot_once=true
else
   set default="DEFAULT"
fi

if [ x"${feature_menuentry_id}" = xy ]; then
  menuentry_id_option="--id"
else
  menuentry_id_option=""
fi
export menuentry_id_option
function savedefault {
  if [ -z "${boot_once}" ]; then
    saved_entry="${chosen}"
    save_env saved_entry
  fi
}
function load_video {
  insmod all_video
}
"""
ENTRY = """\
menuentry '{title}' --class debian --class gnu-linux --class gnu --class os $menuentry_id_option '{id}' {{
\tload_video
\tif [ x$grub_platform = xxen ]; then insmod xzio; insmod lzopio; fi
\tsearch --no-floppy --fs-uuid --set=root {uuid}
\techo\t'Loading Linux {release} ...'
\tlinux\t{directory}/vmlinuz-{release} root=UUID={uuid} ro  quiet
\tinitrd\t{directory}/initrd.img-{release}
}}
"""
RECOVERY = "gnulinux-{release}-recovery-{uuid}"
ADVANCED = f"gnulinux-advanced-{UUID}"


def entry(title, entry_id, release, directory="/boot"):
    return ENTRY.format(title=title, id=entry_id, release=release, uuid=UUID, directory=directory)


def advanced_id(release):
    return f"gnulinux-{release}-advanced-{UUID}"


def grub(default, directory="/boot", first=NEW):
    """The menu: the newest kernel, then all of them in a submenu, then the firmware."""
    inner = "".join(
        entry(f"Debian GNU/Linux, with Linux {release}{suffix}", entry_id, release, directory)
        for release in (NEW, OLD)
        for suffix, entry_id in (
            ("", advanced_id(release)),
            (" (recovery mode)", RECOVERY.format(release=release, uuid=UUID)),
        )
    )
    indented = "".join(f"\t{line}\n" for line in inner.splitlines())
    return (
        HEADER.replace("DEFAULT", default)
        + entry("Debian GNU/Linux", f"gnulinux-simple-{UUID}", first, directory)
        + f"submenu 'Advanced options for Debian GNU/Linux' $menuentry_id_option '{ADVANCED}' {{\n{indented}}}\n"
        + "menuentry 'UEFI Firmware Settings' $menuentry_id_option 'uefi-firmware' {\n\tfwsetup\n}\n"
    )


@pytest.mark.parametrize(
    "default, environment, expected",
    [
        ("0", "", NEW),
        ("1>2", "", OLD),
        ("1>0", "", NEW),
        ("1", "", NEW),
        (f"{ADVANCED}>{advanced_id(OLD)}", "", OLD),
        (f"Advanced options for Debian GNU/Linux>Debian GNU/Linux, with Linux {OLD}", "", OLD),
        (f"1>{advanced_id(OLD)}", "", OLD),
        ("${saved_entry}", f"saved_entry={ADVANCED}>{advanced_id(OLD)}\n", OLD),
        ("${saved_entry}", "saved_entry=0\n", NEW),
        ("${saved_entry}", "", NEW),
        # for one boot only
        ("0", f"next_entry=1>{advanced_id(OLD)}\n", OLD),
        ("${saved_entry}", "saved_entry=1>2\nnext_entry=0\n", NEW),
        ("1>2", "next_entry=\n", OLD),
        # what GRUB does with an entry that is not there any more
        ("gnulinux-6.1.0-gone", "", NEW),
        (f"{ADVANCED}>gnulinux-6.1.0-gone", "", NEW),
        ("7", "", NEW),
    ],
)
@pytest.mark.parametrize("directory", ["/boot", "", "/@/boot"])
def test_grub(machine, default, environment, expected, directory):
    machine.write("/boot/grub/grub.cfg", grub(default, directory))
    if environment:
        machine.write("/boot/grub/grubenv", f"# GRUB Environment Block\n{environment}######")
    assert boot_kernel(machine.host) == expected


def test_grub_starts_the_first_entry_and_not_the_newest_file(machine):
    """After update-grub was forgotten."""
    machine.write("/boot/grub/grub.cfg", grub("0", first=OLD)).write(f"/boot/vmlinuz-{NEW}").write(
        f"/boot/vmlinuz-{OLD}"
    )
    assert boot_kernel(machine.host) == OLD


def test_a_kernel_without_a_version_in_its_name(machine):
    machine.write("/boot/grub/grub.cfg", grub("0").replace(f"vmlinuz-{NEW}", "vmlinuz"))
    machine.write(f"/boot/vmlinuz-{OLD}").link("/boot/vmlinuz", f"vmlinuz-{OLD}")
    assert boot_kernel(machine.host) == OLD


def test_an_entry_that_is_no_linux_falls_back_to_the_newest_kernel(machine):
    machine.write("/boot/grub/grub.cfg", grub("2")).write(f"/boot/vmlinuz-{NEW}")
    assert boot_kernel(machine.host) == NEW


# After /boot/loader/entries of RHEL 9 and 10.
EL_OLD, EL_NEW = "5.14.0-503.40.1.el9_5.x86_64", "5.14.0-570.12.1.el9_6.x86_64"
MACHINE_ID = "ffffffffffffffffffffffffffffffff"
BLS_GRUB = """\
if [ "${next_entry}" ] ; then
   set default="${next_entry}"
else
   set default="${saved_entry}"
fi
insmod blscfg
blscfg
"""


def bls(machine, release, loader="/boot/loader", entry_id=None):
    text = (
        f"title Rocky Linux ({release}) 9.6 (Blue Onyx)\nversion {release}\nlinux /vmlinuz-{release}\n"
        f"initrd /initramfs-{release}.img $tuned_initrd\noptions root=UUID={UUID} ro $tuned_params\n"
        "grub_users $grub_users\ngrub_arg --unrestricted\ngrub_class rocky\n"
    )
    return machine.write(f"{loader}/entries/{entry_id or f'{MACHINE_ID}-{release}'}.conf", text)


@pytest.mark.parametrize("config", [BLS_GRUB, None])
@pytest.mark.parametrize(
    "environment, expected",
    [
        (f"saved_entry={MACHINE_ID}-{EL_OLD}", EL_OLD),
        (f"saved_entry={MACHINE_ID}-{EL_NEW}", EL_NEW),
        ("saved_entry=1", EL_OLD),
        ("saved_entry=0", EL_NEW),
        (f"saved_entry={MACHINE_ID}-5.14.0-1.gone", EL_NEW),
        (f"saved_entry=Rocky Linux ({EL_OLD}) 9.6 (Blue Onyx)", EL_OLD),
        (f"saved_entry={MACHINE_ID}-{EL_NEW}\nnext_entry={MACHINE_ID}-{EL_OLD}", EL_OLD),
        ("kernelopts=root=/dev/mapper/rl-root ro", EL_NEW),
    ],
)
def test_entries_of_the_red_hat_family(machine, config, environment, expected):
    if config:
        machine.write("/boot/grub2/grub.cfg", config)
    machine.write("/boot/grub2/grubenv", f"# GRUB Environment Block\n{environment}\nboot_success=0\n#####")
    for release in ("0-rescue-" + MACHINE_ID, EL_OLD, EL_NEW):
        bls(machine, release)
    assert boot_kernel(machine.host) == expected
    assert machine.calls == []


@pytest.mark.parametrize(
    "configured, expected",
    [
        ("", EL_NEW),
        ("timeout 3\ndefault @saved\n", EL_NEW),
        (f"default {MACHINE_ID}-{EL_OLD}.conf\n", EL_OLD),
        (f"default {MACHINE_ID}-5.14.0-503*\n", EL_OLD),
        ("default nothing-like-it\n", EL_NEW),
    ],
)
@pytest.mark.parametrize("loader", ["/boot/loader", "/efi/loader", "/boot/efi/loader"])
def test_systemd_boot(machine, loader, configured, expected):
    machine.write(f"{loader}/loader.conf", configured)
    bls(machine, EL_NEW, loader, f"{MACHINE_ID}-{EL_NEW}+2-1")
    bls(machine, EL_OLD, loader)
    assert boot_kernel(machine.host) == expected


def test_systemd_boot_as_told_in_the_firmware(machine):
    bls(machine, EL_NEW)
    bls(machine, EL_OLD)
    machine.write("/boot/loader/loader.conf", f"default {MACHINE_ID}-{EL_NEW}.conf\n")
    variable = "/sys/firmware/efi/efivars/LoaderEntry{}-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"
    for name, release in (("Default", EL_OLD), ("OneShot", EL_NEW)):
        text = f"{MACHINE_ID}-{release}.conf\0".encode("utf-16-le")
        machine.write(variable.format(name), b"\x07\0\0\0" + text)
        assert boot_kernel(machine.host) == release


def test_an_entry_that_only_names_its_version(machine):
    """As kernel-install writes it, with the kernel in a directory of its own."""
    machine.write(
        f"/efi/loader/entries/{MACHINE_ID}-{NEW}.conf",
        f"title Debian\nversion    {NEW}\nlinux      /{MACHINE_ID}/{NEW}/linux\n",
    )
    assert boot_kernel(machine.host) == NEW


def test_grubby(machine):
    """Where the files tell nothing, as when they lie elsewhere."""
    machine.write(f"/boot/vmlinuz-{EL_NEW}").write(f"/boot/vmlinuz-{EL_OLD}")
    machine.says("grubby --default-kernel", f"/boot/vmlinuz-{EL_OLD}\n")
    assert boot_kernel(machine.host) == EL_OLD
    machine.says("grubby --default-kernel", "", 1, "This script must be run as root.")
    assert boot_kernel(machine.host) == EL_NEW


def test_the_newest_kernel_in_boot(machine):
    for release in (OLD, NEW, "6.12.9+deb13-amd64"):
        machine.write(f"/boot/vmlinuz-{release}").write(f"/boot/config-{release}")
    machine.write("/boot/vmlinuz-0-rescue-1234").write("/boot/vmlinuz.old")
    assert boot_kernel(machine.host) == NEW


def test_no_kernel_at_all(machine):
    assert boot_kernel(machine.host) is None


@pytest.mark.parametrize(
    "older, newer",
    [
        ("6.12.94+deb13-amd64", "6.12.107+deb13-amd64"),
        ("5.14.0-503.40.1.el9_5.x86_64", "5.14.0-570.12.1.el9_6.x86_64"),
        ("6.8.0-9-generic", "6.8.0-45-generic"),
        ("6.12~rc1-amd64", "6.12-amd64"),
        ("6.12", "6.12.1"),
        ("550.163.01", "580.65.06"),
        ("580.65.06", "580.105.08"),
    ],
)
def test_versions(older, newer):
    assert sorted([newer, older], key=version_key) == [older, newer]
