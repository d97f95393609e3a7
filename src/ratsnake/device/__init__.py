"""Where packets come from and go to: Linux TUN, an in-memory pair, capture files.

Import the module you need (`ratsnake.device.linux_tun`, `.memory`, `.pcap`); this file imports
none of them, so that none costs anything where it is not used.  Only `wire` may be imported.
"""
