"""The activities against a real simulator and a real wire: what a workflow hears of each thing that Amazon says."""
