import torch

torch.set_num_threads(1)  # matrices of a few rows: more threads only wait for one another
