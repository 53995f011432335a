"""Staff set up what their academy sells. Every change is audited in its own transaction."""
