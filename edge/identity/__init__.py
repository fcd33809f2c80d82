"""Who this node is in an incident: its keys at rest, enrolment, and trust kept up to date while it runs."""
