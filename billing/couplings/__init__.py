"""What couples the parts of a subscription: one file a coupling, each a row of functions from one state to the next.

Owns: that a captured charge settles its period, that a lost charge permission ends what is collected under it, that an
end writes off the rest, and which notice tells of each. Does not decide: what a part can decide by itself.
"""
