"""Every order of the store calls of two or three requests, with a crash or a lost answer at every one."""
