"""Neo4j databases that somebody else modelled: looked at (``catalogue``), decided on
(``decisions``), and read (``reader``).

Nothing is ever written to them: every query runs in read access mode, in which the server refuses to write.
"""
