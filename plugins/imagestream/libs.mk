PLUGIN_LIBS_imagestream := libcrypto libcurl
