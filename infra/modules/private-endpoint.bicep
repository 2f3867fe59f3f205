// A private endpoint for one resource, registered in a private DNS zone if one is named.

@description('Name of the endpoint.')
@minLength(2)
@maxLength(64)
param name string

@description('Region of the subnet.')
param location string

@description('Tags.')
param tags object

@description('Resource id of the subnet.')
param subnetId string

@description('Resource id of what the endpoint leads to.')
param targetId string

@description('Which part of it: blob, queue, table, sites or topic.')
@allowed(['blob', 'queue', 'table', 'sites', 'topic'])
param groupId string

@description('Resource id of the private DNS zone; empty where DNS is kept elsewhere.')
param dnsZoneId string

resource endpoint 'Microsoft.Network/privateEndpoints@2023-11-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    subnet: {
      id: subnetId
    }
    privateLinkServiceConnections: [
      {
        name: groupId
        properties: {
          privateLinkServiceId: targetId
          groupIds: [groupId]
        }
      }
    ]
  }
}

resource dns 'Microsoft.Network/privateEndpoints/privateDnsZoneGroups@2023-11-01' = if (!empty(dnsZoneId)) {
  parent: endpoint
  name: 'default'
  properties: {
    privateDnsZoneConfigs: [
      {
        name: groupId
        properties: {
          privateDnsZoneId: dnsZoneId
        }
      }
    ]
  }
}
