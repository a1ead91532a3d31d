"""What can be looked at, a file each: `VIEW` of it says what it is, and builds it (app.py has the list)."""
