"""Neo4j databases that somebody else modelled: looked at (``catalogue``), and decided on (``decisions``).

Nothing is ever written to them: every query runs in read access mode, in which the server refuses to write.
"""
