"""A Kling on localhost: the same paths and rules, real files, no bill."""

from .faults import Fault
from .server import SimulatorServer, create_app
from .state import SIMULATOR_KEY, SimTask, State

__all__ = ["SIMULATOR_KEY", "Fault", "SimTask", "SimulatorServer", "State", "create_app"]
