"""Real servers, real TLS, a real proxy, and who comes through them: curl, WebSockets, Chromium."""
