# SPDX-License-Identifier: Apache-2.0
"""The networks that are built here, by name, with their sizes. Those that end in `_small` are for tests that run many times."""

import networks
from transformers import Gpt2, Llama
from unet import UNet

BUILT = {
    "gpt2": lambda name: Gpt2(name, layers=12, width=768, heads=12, tokens=128, vocabulary=128, primitive=True),
    "gpt2_small": lambda name: Gpt2(name, layers=2, width=64, heads=4, tokens=16, vocabulary=64, primitive=False),
    "llama": lambda name: Llama(
        name, layers=4, width=1024, heads=16, key_heads=4, hidden=2816, tokens=128, vocabulary=128
    ),
    "llama_small": lambda name: Llama(
        name, layers=2, width=64, heads=4, key_heads=2, hidden=176, tokens=16, vocabulary=64
    ),
    "unet": lambda name: UNet(name, channels=64, size=64, heads=4, primitive=True),
    "unet_small": lambda name: UNet(name, channels=16, size=16, heads=2, primitive=False),
}


NAMES = [*networks.LOGIT_SCALES, *BUILT]


def network(name):
    """The network of that name: a refilled topology, or one that is built here."""
    return BUILT[name](name).b if name in BUILT else networks.Refill(name)
