"""The supervisor: owns the queue connection and the runners, and neither DataJoint nor the lab's code.

Events come to one loop (loop); the queue is asked on a thread of its own (queue_thread); what to do is decided by pure
policies (prefetch, idle, drain, restarts, fate) and done by supervisor.
"""
