"""The process that hosts workflows and activities and wires them to the real Amazon Pay."""
