"""Networks as they are used: their latency on a device, measured."""
