"""`callengine doctor`: checks of the live system, each a small function with a time limit.

scene.py is what they look at, table.py lists them, examination.py runs them.
"""
