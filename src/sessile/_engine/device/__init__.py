"""Sessions that are bound to a device: what the server tells the browser about its bound cookie."""
