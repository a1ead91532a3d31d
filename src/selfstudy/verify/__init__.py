"""Did it learn, did it forget?  Asks each arm again, opens or shuts the gate."""
