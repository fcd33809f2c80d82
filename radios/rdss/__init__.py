"""BeiDou short messages: codec, driver, bearer, and simulators of terminal and satellite."""

from hardware.ports import register

register("rdss", "radios.rdss.terminal_sim:stream")
