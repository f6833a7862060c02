"""What each page of docs/simulator needs before its program can be run; its test is skipped where that is not there."""

import os
import re
import shutil
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from tests.interop.node_sdk import install
from tests.interop.pages import Page, shell
from tests.interop.programs import absent, needed, run

STAND_INS: Final = Path(__file__).parent / "stand_ins"
SETUP_SECONDS: Final = 500.0
"""For Maven's first download of the SDK and of its own plugins."""

_OFFLINE: Final = "--offline\n"
_UNREACHABLE: Final = re.compile(
    r"Unknown host|Connection refused|Connection reset|Connect(?:ion)? timed out|Temporary failure in name resolution"
)
"""What Maven says when there is no registry to be had, and not when a package is wrong."""

Environment = Mapping[str, str]
Prepare = Callable[[Page, Path], Awaitable[Environment]]


@dataclass(frozen=True)
class Way:
    """One way to run a page.

    Attributes:
        page: its name without the ending.
        prepare: makes its folder ready and gives what the program needs in its environment, or skips.
        whose: which SDK, where a page is run with more than one.
        secure: whether the simulator serves https.
    """

    page: str
    prepare: Prepare
    whose: str = ""
    secure: bool = True

    @property
    def name(self) -> str:
        return f"{self.page}, {self.whose}" if self.whose else self.page


async def _curl(_page: Page, _folder: Path) -> Environment:
    needed("curl", "openssl")
    return {}


async def _python(_page: Page, _folder: Path) -> Environment:
    return {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


async def _node(_page: Page, folder: Path) -> Environment:
    await install(folder)
    return {}


async def _java(page: Page, folder: Path) -> Environment:
    """Asks the registry only for what is not on this machine yet."""
    needed("mvn", "javac", "keytool")
    # All three start a virtual machine that ends before its optimising compiler has paid.
    quick = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
    environment = {"MAVEN_OPTS": quick, "JDK_JAVA_OPTIONS": quick}
    options = folder / ".mvn" / "maven.config"
    options.parent.mkdir()
    options.write_text(_OFFLINE)
    ended = await shell(folder, SETUP_SECONDS, environment, page.setup)
    if ended.code != 0:
        options.unlink()
        ended = await shell(folder, SETUP_SECONDS, environment, page.setup)
    if unreachable := _UNREACHABLE.search(ended.out):
        pytest.skip(f"Maven's registry cannot be reached ({unreachable[0]})")
    assert ended.code == 0, f"{ended.out}{ended.err}"
    return environment


async def _php(folder: Path) -> None:
    needed("php")
    modules = await run(folder, SETUP_SECONDS, {}, "php", "-m")
    if "curl" not in modules.out.split():
        absent("php-curl is not installed")


async def _php_official(_page: Page, folder: Path) -> Environment:
    await _php(folder)
    project = os.environ.get("AMAZON_PAY_SDK_PHP")
    if project is None:
        pytest.skip(
            "AMAZON_PAY_SDK_PHP does not name the folder, from /, in which Composer put amzn/amazon-pay-api-sdk-php"
        )
    (folder / "vendor").symlink_to(Path(project) / "vendor")
    return {}


async def _php_stand_in(_page: Page, folder: Path) -> Environment:
    await _php(folder)
    needed("openssl")
    shutil.copytree(STAND_INS / "php", folder / "vendor")
    return {}


async def _ruby_official(_page: Page, folder: Path) -> Environment:
    needed("ruby")
    found = await run(folder, SETUP_SECONDS, {}, "ruby", "-e", "require 'amazon_pay'; puts Constants::SDK_VERSION")
    if found.code != 0:
        pytest.skip("the gem amazon-pay-api-sdk-ruby is not installed")
    return {}


async def _ruby_stand_in(_page: Page, _folder: Path) -> Environment:
    needed("ruby")
    return {"RUBYLIB": str(STAND_INS / "ruby")}


WAYS: Final = (
    Way("curl", _curl),
    Way("java", _java),
    Way("node", _node),
    Way("php", _php_official, whose="the SDK"),
    Way("php", _php_stand_in, whose="a stand-in"),
    Way("python", _python, secure=False),
    Way("ruby", _ruby_official, whose="the SDK"),
    Way("ruby", _ruby_stand_in, whose="a stand-in"),
)
