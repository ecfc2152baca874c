"""Line searches: state machines that see only (t, phi, phi')."""
