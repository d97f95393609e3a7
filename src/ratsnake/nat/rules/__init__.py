"""What RFCs fix, as tables to hold against them: behaviours, timers, TCP states, drop reasons."""
