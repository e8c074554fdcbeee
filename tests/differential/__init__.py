"""The same stories told to the real express-session and to sessile."""
