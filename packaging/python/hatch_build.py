"""Puts a prebuilt nwl into the wheel: packaging/wheel.sh names it and the platform it is for."""

import os
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Binary(BuildHookInterface[Any]):
    """Adds $NWL_BINARY to the scripts of the wheel, and tags it for $NWL_PLATFORM."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":
            return  # then nwl is searched for in PATH
        binary, platform = os.environ.get("NWL_BINARY"), os.environ.get("NWL_PLATFORM")
        if not binary or not platform:
            raise RuntimeError(
                "a wheel of neuralwl holds the program nwl: build it by `make wheel`, which names the "
                "binary in NWL_BINARY and its platform, as in manylinux_2_17_x86_64, in NWL_PLATFORM"
            )
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{platform}"
        build_data["shared_scripts"] = {binary: "nwl"}
