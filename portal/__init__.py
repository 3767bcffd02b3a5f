"""The owners' portal: shows owners their calls, messages and recordings. It changes no call."""
