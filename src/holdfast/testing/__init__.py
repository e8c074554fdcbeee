"""For tests of stores and of applications that use holdfast."""
