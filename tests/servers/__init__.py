"""Real servers for tests: started on loopback, on free ports, in temporary folders.

They come in pip-installed packages, so nothing has to be set up. Each class can be killed and
started again on the same port with the same data.
"""
