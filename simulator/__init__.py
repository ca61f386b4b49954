"""A Kling on localhost: the same paths and rules, real MP4s, no bill."""

from .catalog import Model
from .faults import Fault
from .server import SimulatorServer, create_app
from .state import PRACTICE_KEY, SimTask, State

__all__ = ["PRACTICE_KEY", "Fault", "Model", "SimTask", "SimulatorServer", "State", "create_app"]
