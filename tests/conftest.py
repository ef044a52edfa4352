"""Settings of all tests. One thread: the models are so small that a second one would only wait.

hypothesis has no deadlines, because the machine may be busy, and prints how to reproduce a failure.

Ctrl-C is enabled: a shell starts background processes with SIGINT ignored, which processes started by tests inherit.
"""

import signal

import torch
from hypothesis import HealthCheck, settings

torch.set_num_threads(1)
signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("untimed", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")
