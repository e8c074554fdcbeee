"""What does I/O or needs the options: the manager, commits, users and their index, transports."""
