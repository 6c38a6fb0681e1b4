PLUGIN_LIBS_image := libnbd
