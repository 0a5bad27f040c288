"""Where trials are trained: in this process, or by Ray Tune's workers."""
