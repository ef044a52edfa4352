"""One thread: the tests' models are so small that a second one only waits.

No deadlines: a property is as true on a machine that is busy. What hypothesis finds, it tells how to find again.

Ctrl-C is heard: a shell starts what runs in the background deaf to it, and what a test starts would be deaf as well.
"""

import signal

import torch
from hypothesis import HealthCheck, settings

torch.set_num_threads(1)
signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("untimed", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")
