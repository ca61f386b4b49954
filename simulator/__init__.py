"""A Kling on localhost: the same paths and rules, real files, no bill."""

from .faults import Fault
from .money import Payment
from .server import SimulatorServer, create_app
from .state import SIMULATOR_KEY, State
from .task import Ending, SimTask

__all__ = ["SIMULATOR_KEY", "Ending", "Fault", "Payment", "SimTask", "SimulatorServer", "State", "create_app"]
