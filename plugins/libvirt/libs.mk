PLUGIN_LIBS_libvirt := libvirt libnbd libxml-2.0
